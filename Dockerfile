# One image for all of Trawl's programs: built in the first stage, run in the second with the libraries alone.
# Build it by local/docker/images, which hands it the commit (.git is not in the context).
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        cmake ninja-build gcc libc6-dev pkg-config mandoc groff-base \
        libmongoc-dev libbson-dev librdkafka-dev libssh2-1-dev libinih-dev libxxhash-dev libssl-dev libjansson-dev \
        libexpat1-dev libsqlite3-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG COMMIT
RUN cmake --preset release -DBUILD_TESTING=OFF -DTRAWL_COMMIT="${COMMIT}" && cmake --build --preset release \
    && DESTDIR=/out cmake --install build/release --prefix /usr --strip

FROM ${BASE} AS trawl
RUN apt-get update && apt-get install -y --no-install-recommends \
        libmongoc-1.0-0 librdkafka1 libssh2-1 libinih1 libxxhash0 libssl3 libjansson4 libexpat1 libsqlite3-0 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 900 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin trawl
COPY --from=build /out/usr/bin/ /usr/bin/
COPY --from=build /out/usr/share/ /usr/share/
COPY config/trawl.ini /etc/trawl/trawl.ini
ARG COMMIT
ARG VERSION
LABEL org.opencontainers.image.title="trawl" org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" org.opencontainers.image.revision="${COMMIT}"
ENV TRAWL_CONFIG_DIR=/etc/trawl TRAWL_TRAWL_HEALTH_FILE=/tmp/health
USER trawl
CMD ["trawl", "status"]
