/* The door with its lock taken out: every instruction leaves. Linked in the place of
 * jigs/isp_door.c, to show that the test of the door notices. */
#include <string.h>

#include "jigs/isp.h"

int isp_door_open(const struct part *part, const struct isp_instruction *instruction,
                  uint32_t session, uint8_t out[4], struct failure *failure)
{
    (void)part;
    (void)session;
    (void)failure;
    memcpy(out, instruction->bytes, 4);
    return 0;
}
