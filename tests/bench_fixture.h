/* A simulated bench with one host on its first site, for tests: the jig is made by hand, faults are
 * added, and what the boards were is read from the record at the end. */
#ifndef TESTS_BENCH_FIXTURE_H
#define TESTS_BENCH_FIXTURE_H

#include "tests/bench_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/simbench/bench.h"

#define SITES_MAX 4
#define FAULTS_MAX 4

struct fixture {
    struct jig_site sites[SITES_MAX];
    struct jig_fault faults[FAULTS_MAX];
    struct jig jig;
    char path[8];
    struct bench_options options;
    struct bench *bench;
    char *record;
    size_t record_bytes;
    int host;
};

/* A jig of `sites` native USB programmers with ATmega328P; the caller adds faults. */
static inline void prepare(struct fixture *fixture, size_t sites)
{
    memset(fixture, 0, sizeof *fixture);
    for (size_t i = 0; i < sites; i++) {
        struct jig_site *site = &fixture->sites[i];
        site->site = (int)i + 1;
        site->crystal_hz = 16000000;
        strcpy(site->model, "pro-micro-isp");
        strcpy(site->board, "ATmega328P");
    }
    strcpy(fixture->path, "test");
    fixture->jig.path = fixture->path;
    fixture->jig.sites = fixture->sites;
    fixture->jig.site_count = sites;
    fixture->jig.bench.simulated = true;
    fixture->jig.bench.faults = fixture->faults;
    fixture->options.jig = &fixture->jig;
    fixture->options.parts_directory = TEST_SOURCE_DIR "/profiles/parts";
    fixture->options.seed = 1;
    fixture->host = -1;
}

static inline struct jig_fault *add_fault(struct fixture *fixture, int64_t board,
                                          enum jig_fault_kind kind)
{
    struct jig_fault *fault = &fixture->faults[fixture->jig.bench.fault_count++];
    fault->site = 1;
    fault->board = board;
    fault->kind = kind;
    return fault;
}

static inline void set_pattern(struct jig_fault *fault, enum jig_fault_wire wire,
                               const uint8_t *bytes, size_t count)
{
    fault->wire = wire;
    memcpy(fault->pattern, bytes, count);
    fault->pattern_count = count;
}

static inline void start(struct fixture *fixture)
{
    struct failure failure = {0};
    fixture->options.record = open_memstream(&fixture->record, &fixture->record_bytes);
    assert_non_null(fixture->options.record);
    if (bench_start(&fixture->options, &fixture->bench, &failure) != 0) {
        fail_msg("%s", failure.detail);
    }
    fixture->host = host_open(bench_place(fixture->bench, 1));
}

/* Ends the bench; afterwards `record` holds its lines. */
static inline void stop(struct fixture *fixture)
{
    assert_int_equal(bench_stop(fixture->bench), 0);
    close(fixture->host);
    assert_int_equal(fclose(fixture->options.record), 0);
}

static inline void clean_up(struct fixture *fixture)
{
    free(fixture->record);
}

/* The n-th line of the record, from 1; only that line holds `text`. */
static inline bool line_has(const struct fixture *fixture, int n, const char *text)
{
    const char *line = fixture->record;
    while (line != NULL && --n > 0) {
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    const char *found = line == NULL ? NULL : strstr(line, text);
    return found != NULL && found < strchr(line, '\n');
}

static inline int line_count(const struct fixture *fixture)
{
    int count = 0;
    for (const char *next = fixture->record; (next = strchr(next, '\n')) != NULL; next++) {
        count++;
    }
    return count;
}

#define EXPECT_LINE(fixture, n, text)                                                              \
    do {                                                                                           \
        if (!line_has((fixture), (n), (text))) {                                                   \
            fail_msg("line %d lacks %s:\n%s", (n), (text), (fixture)->record);                     \
        }                                                                                          \
    } while (0)

static inline void leave(struct fixture *fixture)
{
    HOST_TALK(fixture->host, BYTES(0x51, 0x20), BYTES(0x14, 0x10));
}

static inline void enter(struct fixture *fixture)
{
    leave(fixture);
    HOST_TALK(fixture->host, BYTES(0x50, 0x20), BYTES(0x14, 0x10));
}

/* A new session; the middle byte of the signature. */
static inline uint8_t look(struct fixture *fixture)
{
    enter(fixture);
    uint8_t answer[5] = {0};
    host_send(fixture->host, BYTES(0x75, 0x20));
    assert_int_equal(host_read(fixture->host, answer, 5, HOST_PATIENCE_MS), 5);
    return answer[2];
}

static inline uint8_t universal(struct fixture *fixture, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    uint8_t answer[3] = {0};
    host_send(fixture->host, BYTES(0x56, a, b, c, d, 0x20));
    assert_int_equal(host_read(fixture->host, answer, 3, HOST_PATIENCE_MS), 3);
    assert_int_equal(answer[0], 0x14);
    return answer[1];
}

#endif
