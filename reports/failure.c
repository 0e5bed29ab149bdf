#include "reports/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reports/text.h"

#define NOBODY FAILURE_BLAME_NOBODY
#define BOARD FAILURE_BLAME_BOARD
#define CONTACT FAILURE_BLAME_CONTACT
#define PROGRAMMER FAILURE_BLAME_PROGRAMMER
#define PROFILE FAILURE_BLAME_PROFILE
#define STATION FAILURE_BLAME_STATION

/* Only a contact that came and went is tried again by itself: a signature, a fuse or a lock that
 * differs stays different, and an empty site stays empty. */
static const struct failure_fact facts[] = {
    {FAILURE_NONE, "none", NOBODY, false, "Nothing is wrong."},

    {FAILURE_USAGE, "usage", STATION, false,
     "Check the command that was typed; --help lists what can be said."},
    {FAILURE_PROFILE_INVALID, "profile-invalid", PROFILE, false,
     "Hold the lot and give this message to the engineer: the profile must be corrected."},
    {FAILURE_PART_INVALID, "part-invalid", PROFILE, false,
     "Hold the lot and give this message to the engineer: the part file must be corrected."},
    {FAILURE_IMAGE_INVALID, "image-invalid", PROFILE, false,
     "Hold the lot and ask the engineer for a sound image file: this one is damaged or not a "
     "finished image."},
    {FAILURE_IMAGE_OVERLAP, "image-overlap", PROFILE, false,
     "Hold the lot and give this message to the engineer: two images claim the same addresses."},
    {FAILURE_IMAGE_OUT_OF_RANGE, "image-out-of-range", PROFILE, false,
     "Hold the lot and give this message to the engineer: the image does not fit the part."},
    {FAILURE_IMAGE_CHANGED, "image-changed", PROFILE, false,
     "Hold the lot and ask the engineer which is right: the image file is not the one that the "
     "profile names."},
    {FAILURE_JIG_INVALID, "jig-invalid", STATION, false,
     "Give this message to the engineer: the jig file must be corrected."},
    {FAILURE_PLAN_REFUSED, "plan-refused", PROFILE, false,
     "Use another site or jig, or ask the engineer: this site cannot do what the profile asks."},
    {FAILURE_LOT_REFUSED, "lot-refused", PROFILE, false,
     "Check the lot's name, the profile and the count on the order: this lot was begun with "
     "others."},
    {FAILURE_IMAGE_DISAGREES, "image-disagrees", PROFILE, false,
     "Hold the lot and ask the engineer which is right: an image carries fuses, lock bits, a "
     "signature, EEPROM or program that is not the profile's."},
    {FAILURE_IMAGE_UNREADABLE, "image-unreadable", PROFILE, false,
     "Hold the lot and ask the engineer to put the image file in its place: it cannot be read."},
    {FAILURE_IMAGE_UNKNOWN, "image-unknown", PROFILE, false,
     "Hold the lot and give this message to the engineer: the image file is of no known format, or "
     "a raw binary without its address."},
    {FAILURE_RULE_REFUSED, "rule-refused", PROFILE, false,
     "Hold the lot and give this message to the engineer: what the profile asks for would harm the "
     "board, or the risk is not accepted in it."},

    {FAILURE_SIGNATURE_MISMATCH, "signature-mismatch", BOARD, false,
     "Put the board in the reject bin: it carries another part. Nothing on it was changed unless "
     "the record says so."},
    {FAILURE_FUSE_REFUSED, "fuse-refused", PROFILE, false,
     "Hold the lot, keep this board apart and call the engineer: a fuse write that the profile "
     "does not call for was stopped."},
    {FAILURE_FUSE_MISMATCH, "fuse-mismatch", BOARD, false,
     "Put the board in the reject bin: a fuse does not hold what was written."},
    {FAILURE_LOCK_MISMATCH, "lock-mismatch", BOARD, false,
     "Put the board in the reject bin: its lock bits do not hold what was written."},
    {FAILURE_VERIFY_MISMATCH, "verify-mismatch", BOARD, false,
     "Put the board in the reject bin; if the next one fails too, clean the contacts of this "
     "site."},
    {FAILURE_BOARD_BUSY, "board-busy", BOARD, false,
     "Put the board in the reject bin: its part does not finish writing."},
    {FAILURE_EEPROM_WOULD_BE_LOST, "eeprom-would-be-lost", BOARD, false,
     "Set the board aside for the engineer: the erase would clear an EEPROM that must be kept. "
     "Nothing was changed."},
    {FAILURE_ALREADY_PROGRAMMED, "already-programmed", BOARD, false,
     "Put the board with the finished ones, or ask the engineer: it already carries exactly this "
     "profile. Nothing was changed."},
    {FAILURE_NO_SAFE_ORDER, "no-safe-order", BOARD, false,
     "Set the board aside for the engineer: with the fuses it carries it could be lost while they "
     "are written. Nothing was changed."},
    {FAILURE_DOOR_UNPROVED, "door-unproved", BOARD, false,
     "Set this board aside: its last fuses could not be proved, and if they took, no station that "
     "uses these pins reaches it again."},

    {FAILURE_NO_BOARD, "no-board", CONTACT, false,
     "Put a board in; if there is one, see that its supply is on, put it back firmly and press GO "
     "again."},
    {FAILURE_CONTACT_UNSTABLE, "contact-unstable", CONTACT, true,
     "Take the board out, put it back firmly and try again; if it stays so, clean the contacts."},
    {FAILURE_CONTACT_LOST, "contact-lost", CONTACT, true,
     "Take the board out, put it back firmly and press GO; leave boards in until the lamp shows."},
    {FAILURE_BOARD_BEHIND_DOOR, "board-behind-door", CONTACT, false,
     "Set the board aside if it was in when the station was cut off: no GO reaches it any more. "
     "Else put one in and press GO."},
    {FAILURE_NO_SUPPLY, "no-supply", CONTACT, false,
     "Put a board in; if there is one, it has no supply: see that it is on and reaches the board, "
     "then press GO again."},

    {FAILURE_PROGRAMMER_SILENT, "programmer-silent", PROGRAMMER, false,
     "Unplug this site's programmer and plug it in again; restart if the site is out. If it stays "
     "silent, call the engineer."},
    {FAILURE_PROGRAMMER_GONE, "programmer-gone", PROGRAMMER, false,
     "Check the cable of this site's programmer; restart if the site is out."},
    {FAILURE_PROGRAMMER_UNKNOWN, "programmer-unknown", PROGRAMMER, false,
     "Call the engineer: the device at this site is not the programmer that the jig file names."},
    {FAILURE_PROGRAMMER_OUT_OF_STEP, "programmer-out-of-step", PROGRAMMER, false,
     "Set the board aside; should this site's programmer fail again, unplug it, plug it in again "
     "and "
     "call the engineer."},
    {FAILURE_PROGRAMMER_REFUSED, "programmer-refused", PROGRAMMER, false,
     "Set the board aside and call the engineer: the programmer says it could not do its work."},
    {FAILURE_PLACE_MISSING, "place-missing", PROGRAMMER, false,
     "Plug this site's programmer in at the place that the jig file names, then start again."},
    {FAILURE_PLACE_BUSY, "place-busy", PROGRAMMER, false,
     "Close the other program that uses this site's programmer, then start again."},
    {FAILURE_PLACE_TWICE, "place-twice", PROGRAMMER, false,
     "Call the engineer: the jig file gives one programmer to two sites."},
    {FAILURE_PLACE_DENIED, "place-denied", PROGRAMMER, false,
     "Call the engineer: this user may not open the programmer (on Debian the group dialout may, "
     "for USB plugdev with Gangflash's udev rules)."},
    {FAILURE_BENCH, "bench", PROGRAMMER, false,
     "Start again; if the simulated bench does not come up, give this message to the engineer."},
    {FAILURE_PROGRAMMER_STALLED, "programmer-stalled", PROGRAMMER, false,
     "Set the board aside, unplug this site's programmer and plug it in again; if it stalls once "
     "more, call the engineer."},
    {FAILURE_PROGRAMMER_TOO_OLD, "programmer-too-old", PROGRAMMER, false,
     "Call the engineer: this programmer's firmware is too old for this board; update it or use "
     "another programmer."},

    {FAILURE_LOG, "log", STATION, false,
     "Stop, set aside every board that has no verdict, and call the engineer: the log cannot be "
     "written or read."},
    {FAILURE_LOG_IN_USE, "log-in-use", STATION, false,
     "Close the other station that uses this log, or give this one a log of its own with --log."},
    {FAILURE_CLOCK, "clock", STATION, false,
     "Set this computer's clock right, then start again; if it is right, the log needs the "
     "engineer."},
    {FAILURE_INTERRUPTED, "interrupted", STATION, false,
     "Set the board aside: the work on it was cut short. Put in again it is done again; one that "
     "was left in needs --retest."},
    {FAILURE_DEADLINE, "deadline", STATION, false,
     "Set the board aside and call the engineer: the work took longer than it ever should."},
    {FAILURE_OUT_OF_MEMORY, "out-of-memory", STATION, false,
     "Close other programs on this computer, then start again."},
    {FAILURE_INTERNAL, "internal", STATION, false,
     "Stop and give this message to the engineer: the program itself is at fault."},
};

#define FACT_COUNT ((int)(sizeof facts / sizeof facts[0]))

void failure_record(struct failure *failure, enum failure_code code, const char *format, ...)
{
    /* Formatted beside the field first: an argument may be the very detail that is replaced. */
    char text[4 * FAILURE_DETAIL_BYTES];
    va_list arguments;

    if (failure == NULL) {
        return;
    }
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0) {
        text[0] = '\0';
    }
    va_end(arguments);
    failure->code = code;
    text_copy(failure->detail, sizeof failure->detail, text);
}

const struct failure_fact *failure_lookup(enum failure_code code)
{
    for (int i = 0; i < FACT_COUNT; i++) {
        if (facts[i].code == code) {
            return &facts[i];
        }
    }
    return failure_lookup(FAILURE_INTERNAL);
}

bool failure_finds_nobody(enum failure_code code)
{
    return code == FAILURE_NO_BOARD || code == FAILURE_NO_SUPPLY;
}

const char *failure_sentence(enum failure_code code, bool eeprom_owed)
{
    if (eeprom_owed) {
        return "Set the board aside for the engineer: its EEPROM was cleared and is not back.";
    }
    return failure_lookup(code)->operator_sentence;
}

const struct failure_fact *failure_by_name(const char *name)
{
    for (int i = 0; name != NULL && i < FACT_COUNT; i++) {
        if (strcmp(facts[i].name, name) == 0) {
            return &facts[i];
        }
    }
    return NULL;
}

const char *failure_blame_name(enum failure_blame blame)
{
    switch (blame) {
    case FAILURE_BLAME_NOBODY:
        return "nobody";
    case FAILURE_BLAME_BOARD:
        return "board";
    case FAILURE_BLAME_CONTACT:
        return "contact";
    case FAILURE_BLAME_PROGRAMMER:
        return "programmer";
    case FAILURE_BLAME_PROFILE:
        return "profile";
    case FAILURE_BLAME_STATION:
        return "station";
    }
    return "station";
}

const struct failure_fact *failure_table(int *count)
{
    *count = FACT_COUNT;
    return facts;
}
