/* For tests of the station: a programmer driver over boards in memory, with faults at any call, and
 * what a test of an attempt needs around it: a directory, a profile, a log. */
#ifndef TESTS_FAKE_BENCH_H
#define TESTS_FAKE_BENCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "jigs/programmer.h"
#include "profiles/profile.h"
#include "reports/log.h"
#include "station/event.h"

#define FAKE_FLASH_MAX 0x8000
#define FAKE_EEPROM_MAX 0x400
#define FAKE_FAULTS_MAX 4
#define FAKE_SESSIONS_MAX 8

enum fake_call {
    FAKE_CLAIM,
    FAKE_ATTACH,
    FAKE_RELEASE,
    FAKE_IDENTIFY,
    FAKE_ERASE,
    FAKE_READ,
    FAKE_WRITE,
    FAKE_ANY /* of a session: all but claim and release */
};
#define FAKE_ANY_MEMORY (-1)

struct fake_fault {
    enum fake_call call;
    int memory;                  /* READ, WRITE: of this one, or FAKE_ANY_MEMORY */
    int nth;                     /* of the calls that fit, from 1; 0: every one */
    bool onward;                 /* the nth and all later ones */
    enum failure_code code;      /* NONE: the call does not fail */
    bool done_first;             /* it is carried out, and fails then */
    uint8_t flip;                /* READ, IDENTIFY: turns these bits of the answer… */
    uint32_t address;            /* …at this address */
    bool waits;                  /* CLAIM: until it is cancelled or its time is over */
    void (*hook)(void *context); /* called first */
    void *context;
    int seen;
};

struct fake_board {
    uint8_t signature[3];
    uint8_t flash[FAKE_FLASH_MAX];
    uint8_t eeprom[FAKE_EEPROM_MAX];
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT];
    uint8_t stuck[PART_FUSE_AND_LOCK_COUNT]; /* bits that do not take */
    enum touched touched;                    /* what was really done to it */
    int erases;
    int writes[PART_MEMORY_COUNT]; /* calls */
};

/* One site. Its mutex guards all of it. */
struct fake_site {
    pthread_mutex_t mutex;
    const struct part *part; /* on the boards that are put in */
    struct fake_board board;
    bool present;
    bool swap; /* the next board is put in once the empty place was looked at */
    bool attached;
    int attaches, releases, claims, unclaims;
    int boards;           /* put in so far */
    const char *firmware; /* that a claim finds; NULL: "fake 1.0" */
    int owes;             /* the value that a failed write leaves owed, 0: none… */
    int claims_owing;     /* …and how many claims were told it */
    struct fake_fault faults[FAKE_FAULTS_MAX];
    int fault_count;
    int64_t shortest_read_us; /* the least time that a read of flash was given; 0: none was */
    /* For the driver that chooses SCK. */
    int64_t crystal_hz; /* on the boards; 0: none */
    bool answers_any;   /* the board answers however fast SCK is */
    int deaf_sessions;  /* so many of the next sessions the board answers but at the slowest SCK */
    struct {
        int64_t target_hz;         /* as the attempt had it */
        int64_t first_hz;          /* SCK that was tried first */
        int64_t sck_hz;            /* SCK that came of it */
    } sessions[FAKE_SESSIONS_MAX]; /* index: attaches before it */
    int64_t flash_sck_hz;          /* SCK of the last write to flash */
};

/* One with a fixed SCK, "fake"; and one that chooses, "fake-sck": it takes the fastest it may by
 * target_hz, and slower ones while the board does not answer. */
extern const struct programmer_driver fake_driver, fake_sck_driver;

/* With a fresh board in place. */
void fake_site_open(struct fake_site *site, const struct part *part);
void fake_site_close(struct fake_site *site);
void fake_site_place(struct fake_site *site, struct place *place);
void fake_site_add_fault(struct fake_site *site, struct fake_fault fault);
/* A fresh board, straight from the factory. */
void fake_site_insert(struct fake_site *site);
void fake_site_remove(struct fake_site *site);
/* What an operator does when the lamp is on: takes the board out, and puts the next one in after
 * the empty place was looked at. */
void fake_site_swap(struct fake_site *site);
int fake_site_attaches(struct fake_site *site);
int fake_site_claims(struct fake_site *site);

/* Directory, profile, log and events. */
struct fake_station {
    char directory[64];
    char log_path[96];
    struct profile *profile;
    struct log *log;
    struct event_queue *events;
    atomic_int published;
    void (*on_publish)(void *context, const struct record_attempt *record);
    void *publish_context;
};

/* `changes`: lines of YAML that replace those of the same first key; see the .c file. NULL: none.
 */
void fake_station_open(struct fake_station *station, const char *changes);
/* Another profile from now on; frees the former. */
void fake_station_load(struct fake_station *station, const char *changes);
/* Checks that the log is sound and has no attempt left open. */
void fake_station_close(struct fake_station *station);
/* Closes the log, however it is, and opens it again, as the next run does with the disk free: so
 * many attempts were left open. */
void fake_station_restart(struct fake_station *station, int recovered_expected);
/* Closes the log only, however it is, and removes everything. */
void fake_station_abandon(struct fake_station *station);

/* Makes every write to a file beyond its first KiB fail, as a full disk does; and ends that. */
void fake_disk_fill(void *unused);
/* The same, and the log of `station` has met it when this returns. */
void fake_log_break(void *station);
void fake_disk_free(void);

#endif
