/* Any bytes as a part file. A failure must carry a code and say where; a part that is taken must
 * leave no doubt which fuse or lock byte an instruction writes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

/* How many of the part's bytes would this instruction write? */
static int count_writes(const struct part *part, const uint8_t instruction[4])
{
    int count = 0;

    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(part, memory);
        uint8_t value = 0, carried = 0;

        if (byte && byte->writable)
            count += part_instruction_decode(&byte->write, instruction, &value, &carried);
    }
    return count;
}

static void check_instructions(const struct part *part)
{
    for (int i = 0; i < 0x10000; i++) {
        const uint8_t instruction[4] = {0xAC, (uint8_t)i, 0, (uint8_t)(i >> 8)};
        int most = instruction[1] == 0x53 || (instruction[1] & 0xE0) == 0x80 ? 0 : 1;

        check(count_writes(part, instruction) <= most);
    }
}

static void check_part(const struct part *part)
{
    check(part->flash.size > 0 && part->flash.page_size > 0);
    check(part->flash.size % part->flash.page_size == 0);
    check(part->eeprom.size == 0 || part->eeprom.size % part->eeprom.page_size == 0);
    check(part->sck_divider > 0 && part->sck_divider_from_12mhz > 0);
    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        char text[512];

        part_describe_byte(part, memory, 0x5A, text, sizeof text);
        check(strlen(text) < sizeof text);
    }
    check_instructions(part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct part *part = NULL;
    struct failure failure = {0};

    if (part_parse("fuzz.yaml", (const char *)data, size, &part, &failure) == 0) {
        check_part(part);
    } else {
        check(failure.code != FAILURE_NONE && strchr(failure.detail, ':') != NULL);
        check(part == NULL);
    }
    part_free(part);
    return 0;
}
