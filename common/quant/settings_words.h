/*
 * settings_words.h - settings as they are stored: in AlphaKraken's words, so that its pages show
 * them as what they are, and can make the next version of them. Pure, any thread.
 *
 * AlphaKraken has no type "diann": it is "custom" there, with metrics_type "diann"; our word is in
 * trawl_type. Its engine "file_based" is our "file". It has no "local": that is "generic", with our
 * word in trawl_engine. In memory and in tasks, settings have Trawl's words.
 *
 * "generic" without trawl_engine is AlphaKraken's own, which runs programs in a way that Trawl does
 * not know: no engine of ours. Settings with it are refused when they are to run, and an import
 * archives them and drops their assignments.
 */
#ifndef COMMON_QUANT_SETTINGS_WORDS_H
#define COMMON_QUANT_SETTINGS_WORDS_H
#include <bson/bson.h>
#include <stdbool.h>

#include "common/base/own.h"

/* Append the fields of settings, but for their `_id`, in AlphaKraken's words. */
void settings_append_stored(bson_t *out, const bson_t *settings) __attribute__((nonnull));
/* Stored settings of any version, or AlphaKraken's, in Trawl's words. bson_destroy. */
bson_t *settings_from_stored(const bson_t *doc) OWNED __attribute__((nonnull));
/* Whether stored settings name no engine, or one of ours. */
bool settings_engine_is_known(const bson_t *doc) __attribute__((nonnull));
#endif
