#include "jigs/isp.h"

#include <string.h>

/* What a fuse or lock write would do to a board of this part. */
struct fuse_write {
    int count; /* of the part's bytes that would take it for theirs */
    enum part_memory memory;
    uint8_t value, carried;
};

static struct fuse_write decode(const struct part *part, const uint8_t bytes[4])
{
    struct fuse_write found = {0};

    for (enum part_memory memory = PART_FIRST_FUSE; memory <= PART_LOCK; memory++) {
        const struct part_byte *byte = part_byte(part, memory);
        uint8_t value, carried;

        if (byte == NULL || !byte->writable ||
            !part_instruction_decode(&byte->write, bytes, &value, &carried))
            continue;
        found = (struct fuse_write){found.count + 1, memory, value, carried};
    }
    return found;
}

static bool is_chip_erase(const uint8_t bytes[4])
{
    return bytes[0] == 0xAC && (bytes[1] & 0xE0) == 0x80;
}

/* Every part knows AC 53 (programming enable) and AC 100x xxxx (chip erase); the other instructions
 * that begin with AC change fuses or lock bits, and which of them do on which part the part file
 * says ("Serial Programming Instruction Set" of the datasheets). One that is none of these has no
 * business on a wire. */
int isp_door_open(const struct part *part, const struct isp_instruction *instruction,
                  uint32_t session, uint8_t out[4], struct failure *failure)
{
    const uint8_t *bytes = instruction->bytes;
    struct fuse_write write = decode(part, bytes);
    bool erase = is_chip_erase(bytes);
    bool enable = bytes[0] == 0xAC && bytes[1] == 0x53;
    int result = 0;

    if (write.count + erase + enable > 1 || (bytes[0] == 0xAC && write.count + erase + enable == 0))
        result = failure_set(failure, FAILURE_FUSE_REFUSED,
                             "%02X %02X %02X %02X is no instruction that may be sent to %s",
                             bytes[0], bytes[1], bytes[2], bytes[3], part->name);
    else if (erase)
        result = fuse_permit_spend_erase(instruction->permit, session, failure);
    else if (write.count == 1)
        result = fuse_permit_spend_write(instruction->permit, session, write.memory, write.value,
                                         write.carried, failure);
    if (result == 0)
        memcpy(out, bytes, 4);
    return result;
}
