#include "jigs/isp.h"

#include <string.h>

/* Instructions that begin with AC change fuses, lock bits or everything ("Serial Programming
 * Instruction Set": AC 53 programming enable, AC 100x xxxx chip erase, AC A0 / A8 / A4 write low /
 * high / extended fuse, AC 111x xxxx write lock bits). One that is none of these has no business on
 * a wire. */
int isp_door_open(const struct isp_instruction *instruction, uint32_t session, uint8_t out[4],
                  struct failure *failure)
{
    const uint8_t *bytes = instruction->bytes;
    struct fuse_permit *permit = instruction->permit;
    int result;

    if (bytes[0] != 0xAC || bytes[1] == 0x53)
        result = 0;
    else if ((bytes[1] & 0xE0) == 0x80)
        result = fuse_permit_spend_erase(permit, session, failure);
    else if (bytes[1] == 0xA0)
        result = fuse_permit_spend_write(permit, session, PART_FUSE_LOW, bytes[3], failure);
    else if (bytes[1] == 0xA8)
        result = fuse_permit_spend_write(permit, session, PART_FUSE_HIGH, bytes[3], failure);
    else if (bytes[1] == 0xA4)
        result = fuse_permit_spend_write(permit, session, PART_FUSE_EXTENDED, bytes[3], failure);
    else if ((bytes[1] & 0xE0) == 0xE0)
        result = fuse_permit_spend_write(permit, session, PART_LOCK, bytes[3], failure);
    else
        result = failure_set(failure, FAILURE_FUSE_REFUSED,
                             "%02X %02X %02X %02X is no instruction that may be sent", bytes[0],
                             bytes[1], bytes[2], bytes[3]);
    if (result == 0)
        memcpy(out, bytes, 4);
    return result;
}
