# shellcheck shell=bash
#
# java.sh - jars for the two Java servers: fetched once by Maven into JAVA_DIR, shared by all worlds of the checkout.

java_needed() {
    need_tools java javac mvn
}

# Print the folder with the jars of local/java/<name>.xml. Its name carries the file's checksum, so another version is
# another folder; it appears by rename, so a half-done download is never taken for a whole one.
java_jars() {
    local name=$1 pom=$ROOT/local/java/$1.xml libs
    libs=$JAVA_DIR/$name-$(cksum <"$pom" | cut -d' ' -f1)
    if [ ! -d "$libs" ]; then
        own_dir "$JAVA_DIR"
        (
            flock 7
            [ ! -d "$libs" ] || exit 0
            rm -rf "$libs.part"
            mvn -q -B -f "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
                -DoutputDirectory="$libs.part" </dev/null >"$LOG/$name-maven.log" 2>&1 7>&- 9>&- &&
                mv "$libs.part" "$libs"
        ) 7>>"$JAVA_DIR/.lock" || die "Maven cannot fetch the jars of local/java/$name.xml, see $LOG/$name-maven.log"
    fi
    echo "$libs"
}

# Print the folder with the compiled classes of local/mongo.
java_classes() {
    local libs=$1 sources=("$ROOT"/local/mongo/*.java) classes
    classes=$libs-classes-$(cat "${sources[@]}" | cksum | cut -d' ' -f1)
    if [ ! -d "$classes" ]; then
        (
            flock 7
            [ ! -d "$classes" ] || exit 0
            rm -rf "$classes.part"
            javac -Xlint:all -cp "$libs/*" -d "$classes.part" "${sources[@]}" >"$LOG/store-javac.log" 2>&1 7>&- 9>&- &&
                mv "$classes.part" "$classes"
        ) 7>>"$JAVA_DIR/.lock" || die "javac refuses local/mongo, see $LOG/store-javac.log"
    fi
    echo "$classes"
}
