#include "reports/log_lot.h"

#include <stdbool.h>
#include <string.h>

#include "reports/log_rows.h"

/* A board counts by the last of its attempts that passed or changed it. One that is still open is
 * taken for one that did. */
#define DECIDES "(verdict IS NULL OR verdict = 'pass' OR touched <> 'none')"

/* ?1 is the lot. `board` gives each attempt the first attempt on the same board. Of the rows of a
 * group, SQLite takes the other columns from the one that has the maximum. */
static const char passed_sql[] =
    "WITH RECURSIVE board(first, attempt) AS ("
    " SELECT attempt, attempt FROM attempt_opened o WHERE lot = ?1 AND NOT EXISTS ("
    "  SELECT 1 FROM attempt_opened p WHERE p.attempt = o.previous_attempt AND p.lot = ?1)"
    " UNION ALL"
    " SELECT first, o.attempt FROM board"
    "  JOIN attempt_opened o ON o.previous_attempt = board.attempt AND o.lot = ?1) "
    "SELECT count(*) FROM ("
    " SELECT max(board.attempt), verdict FROM board"
    "  LEFT JOIN attempt_closed c ON c.attempt = board.attempt"
    "  WHERE " DECIDES " GROUP BY first) "
    "WHERE verdict = 'pass'";

/* ?1 lot, ?2 an attempt: did its board count when that attempt was closed? */
static const char counted_sql[] =
    "WITH RECURSIVE back(attempt, previous) AS ("
    " SELECT attempt, previous_attempt FROM attempt_opened WHERE attempt = ?2 AND lot = ?1"
    " UNION"
    " SELECT o.attempt, o.previous_attempt FROM back"
    "  JOIN attempt_opened o ON o.attempt = back.previous AND o.lot = ?1) "
    "SELECT verdict IS 'pass' FROM back LEFT JOIN attempt_closed c ON c.attempt = back.attempt "
    "WHERE " DECIDES " "
    "ORDER BY back.attempt DESC LIMIT 1";

/* ?1 station, ?2 lot, ?3 jig, ?4 site. IS, since an empty name is stored as NULL. An attempt that
 * is still open has no verdict and counts as one with a board. */
static const char left_in_sql[] =
    "SELECT attempt FROM ("
    " SELECT o.attempt, o.sequence FROM attempt_opened o"
    "  LEFT JOIN attempt_closed c ON c.attempt = o.attempt"
    "  WHERE o.station = ?1 AND o.lot IS ?2 AND o.jig IS ?3 AND o.site = ?4"
    "   AND c.verdict IS NOT 'empty' ORDER BY o.attempt DESC LIMIT 1) last "
    "WHERE NOT EXISTS (SELECT 1 FROM event e WHERE e.sequence > last.sequence"
    " AND e.station = ?1 AND e.kind = 'board-out' AND e.detail = 'attempt ' || last.attempt)";

/* ?1 station, ?2 jig, ?3 site. Only a kill leaves an attempt interrupted behind an announced door:
 * a stop waits for the end. What came after it counts when it saw a board, or told of the door. */
static const char door_sql[] =
    "SELECT last.attempt, substr(e.detail, length('attempt ' || last.attempt || ': ') + 1) FROM ("
    " SELECT o.attempt, c.verdict FROM attempt_opened o"
    "  LEFT JOIN attempt_closed c ON c.attempt = o.attempt"
    "  WHERE o.station = ?1 AND o.jig IS ?2 AND o.site = ?3 "
    "   AND (o.signature IS NOT NULL OR c.failure = 'board-behind-door')"
    "  ORDER BY o.attempt DESC LIMIT 1) last "
    "CROSS JOIN event e WHERE last.verdict = 'interrupted' AND e.kind = '" LOG_LAST_DOOR "'"
    " AND e.detail LIKE 'attempt ' || last.attempt || ': %' ORDER BY e.sequence LIMIT 1";

/* ?1 is the lot, ?2 what is to be written now. A profile names image files, and may not say what is
 * in them; the attempts do. */
static const char other_images_sql[] =
    "SELECT attempt, image_sha256 FROM attempt_opened WHERE lot = ?1 AND image_sha256 <> ?2 "
    "ORDER BY attempt LIMIT 1";

static int refuse(const struct log_lot *lot, const char *bound_profile, struct failure *failure)
{
    if (bound_profile != NULL) {
        return failure_set(failure, FAILURE_LOT_REFUSED,
                           "lot %s was begun with the profile of SHA-256 %.16s…, this one has "
                           "%.16s…; use that profile, or a new lot",
                           lot->lot, bound_profile, lot->profile_sha256);
    }
    return failure_set(failure, FAILURE_LOT_REFUSED,
                       "lot %s was begun with a count of %lld (0: no limit), not %lld; leave the "
                       "count out, or use a new lot",
                       lot->lot, (long long)lot->bound_count, (long long)lot->count);
}

/* 1: the lot is known and agrees; 0: it is new. */
static int find_binding(struct database *database, struct log_lot *lot, struct failure *failure)
{
    struct database_statement *statement;
    struct database_value key = database_text(lot->lot);
    int found = database_find(database, "SELECT profile_sha256, count FROM lot WHERE lot = ?1",
                              &key, 1, &statement, failure);
    if (found == 1) {
        const char *profile = database_column(statement, 0).text;
        lot->bound_count = database_column(statement, 1).integer;
        if (strcmp(profile, lot->profile_sha256) != 0) {
            found = refuse(lot, profile, failure);
        } else if (lot->count != 0 && lot->count != lot->bound_count) {
            found = refuse(lot, NULL, failure);
        }
    }
    database_finalize(statement);
    return found;
}

static int check_images(struct database *database, const struct log_lot *lot,
                        struct failure *failure)
{
    struct database_statement *statement;
    const struct database_value keys[] = {database_text(lot->lot),
                                          database_text(lot->image_sha256)};
    int row = database_find(database, other_images_sql, keys, sizeof keys / sizeof keys[0],
                            &statement, failure);
    if (row == 1) {
        (void)failure_set(failure, FAILURE_LOT_REFUSED,
                          "attempt %lld of lot %s was done with images of SHA-256 %.16s…, an image "
                          "file has changed since, they now have %.16s…; use those images, or a "
                          "new lot",
                          (long long)database_column(statement, 0).integer, lot->lot,
                          database_column(statement, 1).text, lot->image_sha256);
    }
    database_finalize(statement);
    return row == 0 ? 0 : -1;
}

static int count_passed(struct database *database, struct log_lot *lot, struct failure *failure)
{
    struct database_statement *statement;
    struct database_value key = database_text(lot->lot);
    int row = database_find(database, passed_sql, &key, 1, &statement, failure);
    lot->passed = row == 1 ? database_column(statement, 0).integer : 0;
    database_finalize(statement);
    return row < 0 ? -1 : 0;
}

int log_lot_bind(struct database *database, struct log_chain *chain, struct log_lot *lot,
                 int64_t now_us, struct failure *failure)
{
    int known = find_binding(database, lot, failure);
    if (known < 0 || check_images(database, lot, failure) < 0) {
        return -1;
    }
    if (known == 0) {
        lot->bound_count = lot->count;
        if (log_rows_add_lot(chain, lot->lot, lot->profile_sha256, lot->count, now_us, failure) <
            0) {
            return -1;
        }
    }
    return count_passed(database, lot, failure);
}

static int find_counted(struct database *database, const char *lot, int64_t attempt, int *counted,
                        struct failure *failure)
{
    struct database_statement *statement;
    const struct database_value keys[] = {database_text(lot), database_integer(attempt)};
    int row = database_find(database, counted_sql, keys, sizeof keys / sizeof keys[0], &statement,
                            failure);
    *counted = row == 1 && database_column(statement, 0).integer != 0 ? 1 : 0;
    database_finalize(statement);
    return row < 0 ? -1 : 0;
}

int log_lot_note_closed(struct database *database, struct record_attempt *record,
                        struct failure *failure)
{
    int before = 0;
    record->lot_change = record->verdict == VERDICT_PASS ? 1 : 0;
    if (record->lot[0] == '\0' || record->previous_attempt == 0) {
        return 0;
    }
    int now = 0;
    if (find_counted(database, record->lot, record->previous_attempt, &before, failure) < 0 ||
        find_counted(database, record->lot, record->attempt, &now, failure) < 0) {
        return -1;
    }
    record->lot_change = now - before;
    return 0;
}

static struct database_value name_or_null(const char *name)
{
    return database_text(name == NULL || name[0] == '\0' ? NULL : name);
}

int log_lot_find_door(struct database *database, const struct log_place *place,
                      struct log_door *door, struct failure *failure)
{
    struct database_statement *statement;
    const struct database_value keys[] = {database_text(place->station), name_or_null(place->jig),
                                          database_integer(place->site)};
    int row =
        database_find(database, door_sql, keys, sizeof keys / sizeof keys[0], &statement, failure);
    *door = (struct log_door){0};
    if (row == 1) {
        door->attempt = database_column(statement, 0).integer;
        record_set_text(door->fuse, sizeof door->fuse, database_column(statement, 1).text);
    }
    database_finalize(statement);
    return row < 0 ? -1 : 0;
}

int log_lot_find_board(struct database *database, struct log_place *place, struct failure *failure)
{
    struct database_statement *statement;
    const struct database_value keys[] = {database_text(place->station), name_or_null(place->lot),
                                          name_or_null(place->jig), database_integer(place->site)};
    int row = database_find(database, left_in_sql, keys, sizeof keys / sizeof keys[0], &statement,
                            failure);
    place->attempt = row == 1 ? database_column(statement, 0).integer : 0;
    database_finalize(statement);
    return row < 0 ? -1 : 0;
}
