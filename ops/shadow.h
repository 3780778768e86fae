/*
 * shadow.h - what Trawl, running as a shadow, would have done otherwise than AlphaKraken. Reads
 * AlphaKraken's database; writes only to the shadow's: its projects, settings and assignments, by
 * which new files are judged.
 */
#ifndef OPS_SHADOW_H
#define OPS_SHADOW_H
#include "common/db/docs.h"
#include "ops/ops.h"

struct shadow_ask {
    const char *from; /* "<mongodb-uri>/<database>" */
    int64_t since_ms; /* raw files created since then */
};
struct shadow_report { /* shadow_report_clear */
    int64_t compared;
    int64_t same;  /* of these */
    int64_t early; /* not comparable yet: one of the two still follows its acquisition */
    int64_t only_theirs, only_ours;
    struct docs notes; /* {id, what, alphakraken, trawl} */
};
void shadow_report_clear(struct shadow_report *r) __attribute__((nonnull));
int shadow_compare(const struct ops *o, const struct shadow_ask *a, struct shadow_report *out,
                   struct err *err) __attribute__((nonnull, warn_unused_result));
#endif
