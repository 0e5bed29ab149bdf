/* Makes a log with a little of everything in it, for shell tests: make_log PATH */
#include "tests/log_sample.h"

static int log_attempts(struct log *log, struct failure *failure)
{
    int64_t bound, passed;
    struct record_step step = sample_step("erase");
    struct record_attempt pass = sample_record("L1", 1), refused = sample_record("L1", 2);
    if (log_bind_lot(log, "L1", SAMPLE_PROFILE_SHA256, SAMPLE_IMAGE_SHA256, 24, &bound, &passed,
                     failure) < 0 ||
        log_open_attempt(log, &pass, failure) < 0 ||
        log_add_step(log, pass.attempt, &step, failure) < 0) {
        return -1;
    }
    sample_pass(&pass);
    refused.verdict = VERDICT_REFUSED;
    refused.failure = FAILURE_SIGNATURE_MISMATCH;
    refused.ended_at_us = sample_now_us();
    refused.fuse_count = 0;
    step = sample_step("identify");
    step.failure = FAILURE_SIGNATURE_MISMATCH;
    return log_close_attempt(log, &pass, NULL, 0, failure) < 0
               ? -1
               : log_close_attempt(log, &refused, &step, 1, failure);
}

int main(int argc, char **argv)
{
    struct log *log;
    struct failure failure = {0};
    int recovered;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: make_log PATH\n");
        return 2;
    }
    struct log_options options = sample_options(argv[1]);
    if (log_open(&options, &log, &recovered, &failure) < 0) {
        (void)fprintf(stderr, "%s\n", failure.detail);
        return 1;
    }
    int result = log_attempts(log, &failure);
    if (log_close(log, NULL) < 0 || result < 0) {
        (void)fprintf(stderr, "%s\n", failure.detail);
        return 1;
    }
    return 0;
}
