#include "common/raw/raw_file.h"

#include <string.h>

const char *const raw_file_statuses[] = {"queued_for_monitoring",
                                         "monitoring_acquisition",
                                         "monitoring_done",
                                         "checksumming",
                                         "checksumming_done",
                                         "copying",
                                         "copying_done",
                                         "queued_for_quanting",
                                         "quanting",
                                         "done",
                                         "done_not_quanted",
                                         "error",
                                         "quanting_failed",
                                         "acquisition_failed",
                                         "ignored",
                                         NULL};

bool raw_file_is_error(const char *status)
{
    return strcmp(status, "error") == 0 || strcmp(status, "acquisition_failed") == 0 ||
           strcmp(status, "quanting_failed") == 0;
}
