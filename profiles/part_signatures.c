#include "profiles/part_signatures.h"

#include <stdio.h>
#include <string.h>

#define NAMES_MAX 5

/* The part files', and three clones, which are other parts: avrdude's part table has them. */
static const struct {
    uint8_t signature[3];
    const char *names[NAMES_MAX]; /* end with NULL */
} shared[] = {
    {{0x1E, 0x90, 0x07}, {"ATtiny13", "ATtiny13A"}},
    {{0x1E, 0x91, 0x0A}, {"ATtiny2313", "ATtiny2313A"}},
    {{0x1E, 0x91, 0x0B}, {"ATtiny24", "ATtiny24A"}},
    {{0x1E, 0x91, 0x0C}, {"ATtiny261", "ATtiny261A"}},
    {{0x1E, 0x92, 0x05}, {"ATmega48", "ATmega48A"}},
    {{0x1E, 0x92, 0x07}, {"ATtiny44", "ATtiny44A"}},
    {{0x1E, 0x92, 0x08}, {"ATtiny461", "ATtiny461A"}},
    {{0x1E, 0x92, 0x0A}, {"ATmega48P", "ATmega48PA"}},
    {{0x1E, 0x93, 0x07}, {"ATmega8", "ATmega8A"}},
    {{0x1E, 0x93, 0x0A}, {"ATA6612C", "ATmega88", "ATmega88A"}},
    {{0x1E, 0x93, 0x0C}, {"ATtiny84", "ATtiny84A"}},
    {{0x1E, 0x93, 0x0D}, {"ATtiny861", "ATtiny861A"}},
    {{0x1E, 0x93, 0x0F}, {"ATmega88P", "ATmega88PA", "LGT8F88P"}},
    {{0x1E, 0x93, 0x14}, {"ATtiny828", "ATtiny828R"}},
    {{0x1E, 0x93, 0x81}, {"AT90PWM2", "AT90PWM3"}},
    {{0x1E, 0x93, 0x83}, {"AT90PWM1", "AT90PWM2B", "AT90PWM3B"}},
    {{0x1E, 0x93, 0x87}, {"ATA6616C", "ATtiny87"}},
    {{0x1E, 0x94, 0x03}, {"ATmega16", "ATmega16A"}},
    {{0x1E, 0x94, 0x05}, {"ATmega169", "ATmega169P", "ATmega169PA"}},
    {{0x1E, 0x94, 0x06}, {"ATA6613C", "ATmega168", "ATmega168A"}},
    {{0x1E, 0x94, 0x07}, {"ATmega165", "ATmega165P", "ATmega165PA"}},
    {{0x1E, 0x94, 0x0A}, {"ATmega164P", "ATmega164PA"}},
    {{0x1E, 0x94, 0x0B}, {"ATmega168P", "ATmega168PA", "LGT8F168P"}},
    {{0x1E, 0x94, 0x0D}, {"ATmega16HVB", "ATmega16HVBrevB"}},
    {{0x1E, 0x94, 0x12}, {"ATtiny1634", "ATtiny1634R"}},
    {{0x1E, 0x94, 0x83}, {"AT90PWM216", "AT90PWM316"}},
    {{0x1E, 0x94, 0x87}, {"ATA5505", "ATA6617C", "ATA664251", "ATtiny167"}},
    {{0x1E, 0x95, 0x02}, {"ATmega32", "ATmega32A"}},
    {{0x1E, 0x95, 0x03}, {"ATmega329", "ATmega329A"}},
    {{0x1E, 0x95, 0x04}, {"ATmega3290", "ATmega3290A"}},
    {{0x1E, 0x95, 0x05}, {"ATmega325", "ATmega325A"}},
    {{0x1E, 0x95, 0x06}, {"ATmega3250", "ATmega3250A"}},
    {{0x1E, 0x95, 0x0B}, {"ATmega329P", "ATmega329PA"}},
    {{0x1E, 0x95, 0x0C}, {"ATmega3290P", "ATmega3290PA"}},
    {{0x1E, 0x95, 0x0D}, {"ATmega325P", "ATmega325PA"}},
    {{0x1E, 0x95, 0x0E}, {"ATmega3250P", "ATmega3250PA"}},
    {{0x1E, 0x95, 0x0F}, {"ATA6614Q", "ATmega328P", "LGT8F328P"}},
    {{0x1E, 0x95, 0x10}, {"ATmega32HVB", "ATmega32HVBrevB"}},
    {{0x1E, 0x96, 0x02}, {"ATmega64", "ATmega64A"}},
    {{0x1E, 0x96, 0x03}, {"ATmega649", "ATmega649A"}},
    {{0x1E, 0x96, 0x04}, {"ATmega6490", "ATmega6490A"}},
    {{0x1E, 0x96, 0x05}, {"ATmega645", "ATmega645A"}},
    {{0x1E, 0x96, 0x06}, {"ATmega6450", "ATmega6450A"}},
    {{0x1E, 0x96, 0x09}, {"ATmega644", "ATmega644A"}},
    {{0x1E, 0x96, 0x0A}, {"ATmega644P", "ATmega644PA"}},
    {{0x1E, 0x96, 0x82}, {"AT90USB646", "AT90USB647"}},
    {{0x1E, 0x96, 0x84}, {"ATmega64M1", "ATmegaS64M1"}},
    {{0x1E, 0x97, 0x02}, {"ATmega128", "ATmega128A", "ATmegaS128"}},
    {{0x1E, 0x97, 0x82}, {"AT90USB1286", "AT90USB1287"}},
};

bool part_signatures_others(const uint8_t signature[3], const char *name, char *text,
                            size_t text_bytes)
{
    const char *others[NAMES_MAX];
    size_t count = 0, used = 0;

    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        for (size_t j = 0; j < NAMES_MAX && shared[i].names[j] != NULL; j++)
            if (memcmp(shared[i].signature, signature, sizeof shared[i].signature) == 0 &&
                strcmp(shared[i].names[j], name) != 0)
                others[count++] = shared[i].names[j];
    text[0] = '\0';
    for (size_t i = 0; i < count && used < text_bytes; i++)
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " and "
                                                  : ", ",
                                 others[i]);
    return count > 0;
}
