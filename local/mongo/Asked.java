import de.bwaldvogel.mongo.bson.Document;
import java.util.Collection;

/** The command that this thread answers, for the collection that is asked by it. */
final class Asked {
    private static final ThreadLocal<Asked> NOW = new ThreadLocal<>();

    final boolean judged;     /* by a program of ours: no scans */
    final String application; /* what the client says it is; or "" */
    final String command;
    final Object hint;    /* an index's name or keys; or null */
    final Query pipeline; /* what the first stages of an aggregation ask; or null */
    final String collection;

    private Asked(String application, String command, Document doc) {
        this.judged = application.startsWith("trawl");
        this.application = application;
        this.command = command;
        this.hint = doc.get("hint");
        this.collection = String.valueOf(doc.get(command));
        Object stages = command.equals("aggregate") ? doc.get("pipeline") : null;
        this.pipeline = stages instanceof Collection ? Query.ofPipeline((Collection<?>) stages) : null;
    }

    static void begin(String application, String command, Document doc) {
        NOW.set(new Asked(application, command, doc));
    }

    static void end() {
        NOW.remove();
    }

    /** Null: the library asks for itself, as when it opens a file. */
    static Asked now() {
        return NOW.get();
    }
}
