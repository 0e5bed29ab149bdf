#include "profiles/fuse_order.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiles/fuse_words.h"
#include "profiles/part_clock.h"

#define FUSE_COUNT (PART_LOCK - PART_FIRST_FUSE)
#define WATCH_CRYSTAL_HZ 32768

/* ---- doors and lock ---- */

const char *fuse_order_door(const struct part *part, enum part_memory memory, uint8_t value)
{
    if (part->rstdisbl.memory == memory && part_bit_programmed(part->rstdisbl, value))
        return "RSTDISBL";
    if (part->dwen.memory == memory && part_bit_programmed(part->dwen, value))
        return "DWEN";
    return NULL;
}

/* Modes 2 and 3 lock the fuses, too ("Lock Bit Protection Modes", ATmega328P, 8271). */
bool fuse_order_lock_leaves_fuses(const struct part *part, uint8_t lock)
{
    enum part_memory memory;
    const struct part_field *field = fuse_words_find(part, "LB", &memory);

    return field != NULL && (lock & field->mask) == field->mask;
}

static bool is_door(const struct fuse_order_case *board, int fuse)
{
    return fuse_order_door(board->part, (enum part_memory)(PART_FIRST_FUSE + fuse),
                           board->wanted[fuse]) != NULL;
}

/* ---- the clock in between ---- */

/* Where the byte's bits choose the oscillator, or how it swings; CKDIV8 only divides. */
static uint8_t oscillator_mask(const struct part *part, int fuse)
{
    enum part_memory memory = (enum part_memory)(PART_FIRST_FUSE + fuse);
    uint8_t mask;

    part_clock_depends_on(part, memory, &mask);
    if (part->ckdiv8.memory == memory)
        mask &= (uint8_t)~part->ckdiv8.mask;
    return mask;
}

static bool has_same_oscillator(const struct part *part, const uint8_t *a, const uint8_t *b)
{
    for (int fuse = 0; fuse < FUSE_COUNT; fuse++)
        if (((a[fuse] ^ b[fuse]) & oscillator_mask(part, fuse)) != 0)
            return false;
    return true;
}

/* The end that the profile gives as a whole was judged with it, by rules that know the board. */
static bool is_given_oscillator(const struct fuse_order_case *board, const uint8_t *bytes)
{
    for (int fuse = 0; fuse < FUSE_COUNT; fuse++)
        if (oscillator_mask(board->part, fuse) != 0 && !board->given[fuse])
            return false;
    return has_same_oscillator(board->part, bytes, board->wanted);
}

static bool has_ckopt(const struct part *part)
{
    enum part_memory memory;

    return fuse_words_find(part, "CKOPT", &memory) != NULL;
}

static int refuse_range(const struct fuse_order_case *board,
                        const struct part_oscillator *oscillator, struct failure *failure)
{
    return failure_set(failure, FAILURE_NO_SAFE_ORDER,
                       "a crystal or resonator of %g to %g MHz, and the board's %g MHz",
                       (double)oscillator->lowest_hz / 1e6, (double)oscillator->highest_hz / 1e6,
                       (double)board->board_hz / 1e6);
}

static bool is_in_range(const struct fuse_order_case *board,
                        const struct part_oscillator *oscillator)
{
    return board->board_hz >= oscillator->lowest_hz &&
           (oscillator->highest_hz == 0 || board->board_hz <= oscillator->highest_hz);
}

/* Does an oscillator that is neither the one found nor the one given run on this board? */
static int check_oscillator(const struct fuse_order_case *board, const uint8_t *bytes,
                            struct failure *failure)
{
    struct part_oscillator oscillator = part_clock_oscillator(board->part, bytes);

    switch (oscillator.kind) {
    case PART_OSCILLATOR_INTERNAL:
        return 0;
    case PART_OSCILLATOR_CRYSTAL:
    case PART_OSCILLATOR_EITHER:
        if (!board->has_crystal || board->board_hz == 0)
            break;
        return is_in_range(board, &oscillator) ? 0 : refuse_range(board, &oscillator, failure);
    case PART_OSCILLATOR_SIGNAL:
        if (board->has_signal)
            return 0;
        break;
    case PART_OSCILLATOR_WATCH_CRYSTAL: /* CKOPT adds the capacitors that it may need… */
        if (board->has_crystal && board->board_hz == WATCH_CRYSTAL_HZ && !has_ckopt(board->part))
            return 0;
        break;
    case PART_OSCILLATOR_RC_NETWORK: /* …or that make it slower */
    case PART_OSCILLATOR_UNKNOWN:
        break;
    }
    return failure_set(failure, FAILURE_NO_SAFE_ORDER,
                       "a clock that is not known to run on this board (board: clock may say so)");
}

static bool is_divided(const struct part *part, const uint8_t *bytes)
{
    return part->ckdiv8.mask != 0 &&
           part_bit_programmed(part->ckdiv8, bytes[part->ckdiv8.memory - PART_FIRST_FUSE]);
}

/* Is the clock, with an oscillator that runs, fast enough for the next try? At the clock found it
 * was reached; of one that nobody knows, and that is given, the engineer thinks so. */
static bool is_fast_enough(const struct fuse_order_case *board, const uint8_t *bytes)
{
    const struct part *part = board->part;
    int64_t hz = part_clock_by_fuses(part, bytes, board->board_hz).hz;
    int64_t found_hz = part_clock_by_fuses(part, board->found, board->board_hz).hz;

    if (hz != 0 && (hz >= board->reach_hz || (found_hz != 0 && hz >= found_hz)))
        return true;
    if (has_same_oscillator(part, bytes, board->found) &&
        is_divided(part, bytes) <= is_divided(part, board->found))
        return true;
    return part_clock_by_fuses(part, board->wanted, board->board_hz).hz == 0 &&
           has_same_oscillator(part, bytes, board->wanted) &&
           is_divided(part, bytes) <= is_divided(part, board->wanted);
}

/* ---- the brown-out in between ---- */

/* ATtiny441/828/841/1634 have the detector's modes (BODACT, BODPD) in another byte than its level
 * (ATtiny441/841, 8495, "Brown-Out Detection"). Elsewhere one write does both. */
#define BOD_MODE_DISABLED 3
/* A level is up to so much above the typical one (ATmega48/88/168, 2545, "BODLEVEL Fuse Coding").
 */
#define BOD_SPREAD_MV 200
#define BOD_ABOVE_ALL_MV INT64_MAX /* of a value that the datasheet does not have */

static bool has_bod_modes(const struct part *part)
{
    enum part_memory memory;

    return fuse_words_find(part, "BODACT", &memory) != NULL &&
           fuse_words_find(part, "BODLEVEL", &memory) != NULL;
}

static uint8_t code_of(const struct part *part, const char *name, const uint8_t *bytes,
                       const struct part_field **field)
{
    enum part_memory memory;

    *field = fuse_words_find(part, name, &memory);
    if (*field == NULL)
        return BOD_MODE_DISABLED;
    return (uint8_t)((bytes[memory - PART_FIRST_FUSE] & (*field)->mask) /
                     ((*field)->mask & -(*field)->mask));
}

/* Typically; 0: the detector is off, or its byte is not split. */
static int64_t brown_out_mv(const struct part *part, const uint8_t *bytes)
{
    const struct part_field *field;
    int volts = 0, tenths = 0;
    uint8_t code;

    if (!has_bod_modes(part) || (code_of(part, "BODACT", bytes, &field) == BOD_MODE_DISABLED &&
                                 code_of(part, "BODPD", bytes, &field) == BOD_MODE_DISABLED))
        return 0;
    code = code_of(part, "BODLEVEL", bytes, &field);
    for (size_t i = 0; i < field->value_count; i++) {
        if (field->values[i].code != code)
            continue;
        return sscanf(field->values[i].name, "%1dV%1d", &volts, &tenths) == 2
                   ? volts * INT64_C(1000) + tenths * INT64_C(100)
                   : 0;
    }
    return BOD_ABOVE_ALL_MV;
}

/* A level that the board has in the end, or came with, is the business of others. */
static int check_brown_out(const struct fuse_order_case *board, const uint8_t *bytes,
                           struct failure *failure)
{
    int64_t level_mv = brown_out_mv(board->part, bytes);

    if (level_mv <= brown_out_mv(board->part, board->found) ||
        level_mv <= brown_out_mv(board->part, board->wanted) ||
        level_mv < board->supply_mv - BOD_SPREAD_MV)
        return 0;
    if (level_mv == BOD_ABOVE_ALL_MV)
        return failure_set(failure, FAILURE_NO_SAFE_ORDER,
                           "a brown-out level that the datasheet does not have");
    if (board->supply_mv == 0)
        return failure_set(failure, FAILURE_NO_SAFE_ORDER,
                           "a brown-out level of %g V, and the supply is not said (board: supply "
                           "may say it)",
                           (double)level_mv / 1000);
    return failure_set(failure, FAILURE_NO_SAFE_ORDER,
                       "a brown-out level of %g V, and the supply is %g V", (double)level_mv / 1000,
                       (double)board->supply_mv / 1000);
}

static int check_state(const struct fuse_order_case *board, const uint8_t *bytes,
                       struct failure *failure)
{
    if (!has_same_oscillator(board->part, bytes, board->found) &&
        !is_given_oscillator(board, bytes) && check_oscillator(board, bytes, failure) < 0)
        return -1;
    if (is_fast_enough(board, bytes))
        return check_brown_out(board, bytes, failure);
    return failure_set(failure, FAILURE_NO_SAFE_ORDER,
                       "a clock of %" PRId64
                       " Hz, too slow for the SCK that the next try begins with",
                       part_clock_by_fuses(board->part, bytes, board->board_hz).hz);
}

/* ---- the search ---- */

struct search {
    const struct fuse_order_case *board;
    struct fuse_order *order;
    uint8_t bytes[PART_FUSE_AND_LOCK_COUNT]; /* after the writes so far */
    bool pending[FUSE_COUNT];
    size_t ordinary;    /* fuses to be written that are no doors */
    struct failure why; /* the first state that cannot be had */
};

/* "low 0xBF, high 0xD9" */
static void describe(const struct search *search, char *text, size_t text_bytes)
{
    const struct part *part = search->board->part;
    size_t used = 0;

    text[0] = '\0';
    for (int fuse = 0; fuse < FUSE_COUNT && used < text_bytes; fuse++) {
        enum part_memory memory = (enum part_memory)(PART_FIRST_FUSE + fuse);

        if (part->bytes[fuse].exists &&
            (part_clock_depends_on(part, memory, NULL) || has_bod_modes(part)))
            used += (size_t)snprintf(text + used, text_bytes - used, "%s%s 0x%02X",
                                     used > 0 ? ", " : "", part_memory_name(part, memory),
                                     search->bytes[fuse]);
    }
}

static bool is_reachable(struct search *search, enum part_memory written)
{
    struct failure why = {0};
    char state[64];

    if (check_state(search->board, search->bytes, &why) == 0)
        return true;
    describe(search, state, sizeof state);
    if (search->why.code == FAILURE_NONE)
        (void)failure_set(&search->why, why.code, "once %s is written, %s would choose %s",
                          part_memory_name(search->board->part, written), state, why.detail);
    return false;
}

/* Low before high before extended, but where that loses the board. */
static bool try_from(struct search *search, size_t count)
{
    if (count == search->ordinary)
        return true;
    for (int fuse = 0; fuse < FUSE_COUNT; fuse++) {
        if (!search->pending[fuse])
            continue;
        search->pending[fuse] = false;
        search->bytes[fuse] = search->board->wanted[fuse];
        search->order->writes[count] = (enum part_memory)(PART_FIRST_FUSE + fuse);
        if (is_reachable(search, search->order->writes[count]) && try_from(search, count + 1))
            return true;
        search->pending[fuse] = true;
        search->bytes[fuse] = search->board->found[fuse];
    }
    return false;
}

static int refuse(const struct search *search, struct failure *failure)
{
    const struct fuse_order_case *board = search->board;

    for (int fuse = 0; fuse < FUSE_COUNT; fuse++)
        if (board->writes[fuse] && is_door(board, fuse) && oscillator_mask(board->part, fuse) != 0)
            return failure_set(
                failure, FAILURE_NO_SAFE_ORDER,
                "%s; %s comes last since it turns %s on: do it without that first",
                search->why.detail,
                part_memory_name(board->part, (enum part_memory)(PART_FIRST_FUSE + fuse)),
                fuse_order_door(board->part, (enum part_memory)(PART_FIRST_FUSE + fuse),
                                board->wanted[fuse]));
    return failure_set(failure, FAILURE_NO_SAFE_ORDER, "%s", search->why.detail);
}

/* ---- what comes last ---- */

static void add_doors(const struct fuse_order_case *board, struct fuse_order *order)
{
    for (int fuse = 0; fuse < FUSE_COUNT; fuse++)
        if (board->writes[fuse] && is_door(board, fuse))
            order->writes[order->count++] = (enum part_memory)(PART_FIRST_FUSE + fuse);
}

/* Lock bits that forbid writing fuses come behind the doors. */
static void add_last(const struct fuse_order_case *board, struct fuse_order *order)
{
    int lock = PART_LOCK - PART_FIRST_FUSE;
    bool doors_first =
        board->writes[lock] && !fuse_order_lock_leaves_fuses(board->part, board->wanted[lock]);

    if (doors_first)
        add_doors(board, order);
    if (board->writes[lock])
        order->writes[order->count++] = PART_LOCK;
    if (!doors_first)
        add_doors(board, order);
}

int fuse_order_find(const struct fuse_order_case *board, struct fuse_order *order,
                    struct failure *failure)
{
    struct search search = {.board = board, .order = order};

    *order = (struct fuse_order){.count = 0};
    memcpy(search.bytes, board->found, sizeof search.bytes);
    for (int fuse = 0; fuse < FUSE_COUNT; fuse++) {
        search.pending[fuse] = board->writes[fuse] && !is_door(board, fuse);
        search.ordinary += search.pending[fuse];
    }
    if (!try_from(&search, 0))
        return refuse(&search, failure);
    order->before = order->count = search.ordinary;
    add_last(board, order);
    return 0;
}

size_t fuse_order_clock_writes(const struct fuse_order_case *board, const struct fuse_order *order)
{
    size_t writes = 0;

    for (size_t i = 0; i < order->count; i++) {
        int at = (int)order->writes[i] - PART_FIRST_FUSE;
        uint8_t mask;

        part_clock_depends_on(board->part, order->writes[i], &mask);
        if (((board->found[at] ^ board->wanted[at]) & mask) != 0)
            writes = i + 1;
    }
    return writes;
}
