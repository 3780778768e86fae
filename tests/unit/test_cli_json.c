/* Documents as JSON for scripts. */
#include <math.h>
#include <stdlib.h>

#include "common/db/doc_json.h"
#include "test.h"

static void documents_become_plain_json(void **state)
{
    (void)state;
    AUTO(bson_destroy)
    bson_t *doc = BCON_NEW("s", "ü", "i", BCON_INT32(-1), "l", BCON_INT64(1LL << 40), "d",
                           BCON_DOUBLE(0.5), "nan", BCON_DOUBLE((double)NAN), "b", BCON_BOOL(true),
                           "n", BCON_NULL, "at", BCON_DATE_TIME(1000), "a", "[", BCON_INT32(1), "{",
                           "x", BCON_INT32(2), "}", "]", "empty", "");
    AUTO(json_decref) json_t *json = json_of_doc(doc);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, "{\"s\":\"ü\",\"i\":-1,\"l\":1099511627776,\"d\":0.5,\"nan\":null,"
                              "\"b\":true,\"n\":null,\"at\":\"1970-01-01T00:00:01.000Z\","
                              "\"a\":[1,{\"x\":2}],\"empty\":\"\"}");
    free(text);
}

static void text_that_is_not_utf8_is_escaped(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *odd = json_text("a\xff");
    AUTO(json_decref) json_t *none = json_text("");
    assert_string_equal(json_string_value(odd), "a%FF");
    assert_true(json_is_null(none));
}

static void print_ends_with_a_newline(void **state)
{
    (void)state;
    struct err err = {0};
    char *buf = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&buf, &len);
    assert_int_equal(json_print(json_array(), out, &err), 0);
    assert_int_equal(json_print(NULL, out, &err), -1);
    fclose(out);
    assert_string_equal(buf, "[]\n");
    free(buf);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_become_plain_json),
        cmocka_unit_test(text_that_is_not_utf8_is_escaped),
        cmocka_unit_test(print_ends_with_a_newline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
