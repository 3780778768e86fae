/* mzML files that are cut, lie or mean harm: a clear error, exit status 3, nothing left behind. */
#include "test_msqc_fixture.h"

/* A valid file with arrays that are decoded; the caller frees it. */
static char *valid_file(void)
{
    float numbers[500];
    for (int i = 0; i < 500; i++) {
        numbers[i] = (float)(i * 7 % 113);
    }
    char *array = zlib_text(numbers, sizeof numbers);
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    fputs("<?xml version=\"1.0\"?>\n<indexedmzML>\n<mzML>\n<run>\n<spectrumList count=\"20\">\n",
          file);
    for (int i = 0; i < 20; i++) {
        fprintf(file,
                "<spectrum id=\"scan=%d\" defaultArrayLength=\"500\">\n"
                "<cvParam accession=\"MS:1000511\" value=\"1\"/>\n<binaryDataArray>"
                "<cvParam accession=\"MS:1000521\"/><cvParam accession=\"MS:1000574\"/>"
                "<cvParam accession=\"MS:1000515\"/><binary>%s</binary></binaryDataArray>\n"
                "</spectrum>\n",
                i, array);
    }
    fputs("</spectrumList>\n</run>\n</mzML>\n<indexList/>\n</indexedmzML>\n", file);
    fclose(file);
    free(array);
    return text;
}

static void a_file_cut_anywhere_is_cut_short(void **state)
{
    struct fixture *fixture = *state;
    char *text = valid_file();
    size_t size = strlen(text);
    assert_int_equal(fixture_extract_text(fixture, "cut.mzML", text), 0);
    expect_field(fixture, "ms1_scans", "20");
    for (size_t cut = 0; cut < size - 2; cut += cut < 400 ? 1 : 1 + size / 97) {
        fixture_write(fixture, "cut.mzML", text, cut);
        assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "cut.mzML")), 3);
        expect_error(fixture, "is cut short");
        expect_error(fixture, "/cut.mzML: line ");
        char byte[32];
        snprintf(byte, sizeof byte, ", byte %zu: ", cut);
        expect_error(fixture, byte);
    }
    free(text);
}

static void the_line_of_the_cut_is_right(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(fixture, "cut.mzML", "<mzML>\n<run>\n<spectrumList"), 3);
    expect_error(fixture, "/cut.mzML: line 3, byte 26: is cut short");
}

static void a_result_of_an_earlier_run_does_not_survive_a_damaged_file(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", "<mzML/>"), 0);
    assert_true(fixture_exists(fixture, "out/msqc_results.tsv"));
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", "<mzML>"), 3);
}

/* One spectrum whose intensities are decoded, with this length and base64 text. */
static int extract_array(struct fixture *fixture, const char *attributes, const char *base64)
{
    char *text = NULL;
    assert_true(asprintf(&text,
                         "<mzML><spectrumList><spectrum %s><cvParam accession='MS:1000511' "
                         "value='1'/><binaryDataArray><cvParam accession='MS:1000523'/>"
                         "<cvParam accession='MS:1000574'/><cvParam accession='MS:1000515'/>"
                         "<binary>%s</binary></binaryDataArray></spectrum></spectrumList></mzML>",
                         attributes, base64) > 0);
    int status = fixture_extract_text(fixture, "array.mzML", text);
    free(text);
    return status;
}

static void an_array_length_that_lies_is_an_error_with_its_place(void **state)
{
    struct fixture *fixture = *state;
    const double numbers[] = {1, 2, 3};
    char *text = zlib_text(numbers, sizeof numbers);
    assert_int_equal(extract_array(fixture, "defaultArrayLength='3'", text), 0);
    expect_field(fixture, "ms1_median_tic", "6");
    assert_int_equal(extract_array(fixture, "defaultArrayLength='4'", text), 3);
    expect_error(fixture, "/array.mzML: line 1, byte ");
    expect_error(fixture, "holds 24 bytes; 4 numbers of 8 bytes are declared");
    assert_int_equal(extract_array(fixture, "defaultArrayLength='2'", text), 3);
    expect_error(fixture, "more than the declared 2");
    assert_int_equal(extract_array(fixture, "defaultArrayLength='-3'", text), 3);
    expect_error(fixture, "defaultArrayLength is missing or not a number");
    assert_int_equal(extract_array(fixture, "", text), 3);
    assert_int_equal(extract_array(fixture, "defaultArrayLength='99999999999999999999'", text), 3);
    assert_int_equal(extract_array(fixture, "defaultArrayLength='33554433'", text), 3);
    expect_error(fixture, "the limit is 256 MiB");
    free(text);
}

static void a_bomb_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const size_t size = (size_t)32 << 20;
    void *zeros = calloc(1, size);
    assert_non_null(zeros);
    char *text = zlib_text(zeros, size);
    free(zeros);
    assert_int_equal(extract_array(fixture, "defaultArrayLength='1000'", text), 3);
    expect_error(fixture, "more than the declared 1000");
    free(text);
}

static void a_document_type_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(fixture, "laughs.mzML",
                                          "<?xml version='1.0'?><!DOCTYPE mzML ["
                                          "<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>"
                                          "]><mzML>&b;</mzML>"),
                     3);
    expect_error(fixture, "document type declaration");
    assert_int_equal(fixture_extract_text(fixture, "laughs.mzML",
                                          "<!DOCTYPE mzML SYSTEM 'file:///etc/passwd'><mzML/>"),
                     3);
    expect_error(fixture, "document type declaration");
}

static void another_root_element_is_not_mzml(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", "<html><mzML/></html>"), 3);
    expect_error(fixture, "is not mzML: its root element is <html>");
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", "Finnigan"), 3);
    expect_error(fixture, "is not well-formed XML");
}

static void xml_that_is_wrong_in_the_middle_names_the_place(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", "<mzML>\n<run>\n</mzML>"), 3);
    expect_error(fixture, "line 3, byte 15: is not well-formed XML (mismatched tag)");
}

static void deep_nesting_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char text[1024] = "<mzML>";
    for (int i = 0; i < 100; i++) {
        memcpy(text + 6 + 3 * i, "<a>", 4);
    }
    assert_int_equal(fixture_extract_text(fixture, "a.mzML", text), 3);
    expect_error(fixture, "nested more than 64 deep");
}

static void a_tag_without_end_is_refused_before_it_fills_the_memory(void **state)
{
    struct fixture *fixture = *state;
    const size_t size = (size_t)12 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "<mzML a='", 9);
    fixture_write(fixture, "a.mzML", text, size);
    assert_int_equal(fixture_extract(fixture, fixture_path(fixture, "a.mzML")), 3);
    expect_error(fixture, "has a tag or comment of more than 4 MiB");
    free(text);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_file_cut_anywhere_is_cut_short),
        T(the_line_of_the_cut_is_right),
        T(a_result_of_an_earlier_run_does_not_survive_a_damaged_file),
        T(an_array_length_that_lies_is_an_error_with_its_place),
        T(a_bomb_is_refused),
        T(a_document_type_is_refused),
        T(another_root_element_is_not_mzml),
        T(xml_that_is_wrong_in_the_middle_names_the_place),
        T(deep_nesting_is_refused),
        T(a_tag_without_end_is_refused_before_it_fills_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
