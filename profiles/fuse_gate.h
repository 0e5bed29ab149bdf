/* The fuse gate: the only maker of permits, and without a permit no driver's door lets out a chip
 * erase, a fuse write or a lock write. There is no option to force it.
 *
 * One gate serves one attempt. A permit names one memory and one value, is good once, and only in
 * the programming session in which it was made, after the board's signature was read again. */
#ifndef PROFILES_FUSE_GATE_H
#define PROFILES_FUSE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiles/profile.h"
#include "reports/record.h"

struct fuse_gate;
struct fuse_permit;

/* The profile must outlive the gate. NULL when out of memory. */
struct fuse_gate *fuse_gate_create(const struct profile *profile);
/* Frees the gate and every permit it made. NULL is allowed. */
void fuse_gate_free(struct fuse_gate *gate);

/* Tells the gate that `signature` was read in programming session `session` (sessions count up
 * from 1). Permits of earlier sessions become void. FAILURE_SIGNATURE_MISMATCH when it is not the
 * profile's; then no permit can be had in this session. */
int fuse_gate_enter_session(struct fuse_gate *gate, uint32_t session, const uint8_t signature[3],
                            struct failure *failure);
/* The session is over; all permits are void. */
void fuse_gate_leave_session(struct fuse_gate *gate);

/* What is to be done about a byte found on the board: FUSE_DECISION_WRITTEN (it is to be written,
 * `*value` is what to send: the profile's bits, and 1 where the part has none), ALREADY, ACCEPTED
 * or LEFT. Compares on the bits that exist. */
enum fuse_decision fuse_gate_decide(const struct profile *profile, enum part_memory memory,
                                    uint8_t found, uint8_t *value);

/* A permit to write `asked` to a fuse or the lock byte. FAILURE_FUSE_REFUSED unless the profile
 * calls for exactly this value there and `found` needs it, and where the value takes the way into
 * the board (SPIEN off; RSTDISBL or DWEN on without that risk accepted). The gate owns the permit.
 */
int fuse_gate_permit_write(struct fuse_gate *gate, enum part_memory memory, uint8_t found,
                           uint8_t asked, struct fuse_permit **permit, struct failure *failure);
/* A permit for one chip erase. */
int fuse_gate_permit_erase(struct fuse_gate *gate, struct fuse_permit **permit,
                           struct failure *failure);

/* For the door (jigs/isp_door.c) alone: uses the permit up. Fails with FAILURE_FUSE_REFUSED when
 * `permit` is NULL, spent, of another session, memory or value. Of the value the bits in `carried`
 * are compared, those that the instruction has; one that carries none writes nothing it could be
 * permitted for, and is refused. */
int fuse_permit_spend_write(struct fuse_permit *permit, uint32_t session, enum part_memory memory,
                            uint8_t value, uint8_t carried, struct failure *failure);
int fuse_permit_spend_erase(struct fuse_permit *permit, uint32_t session, struct failure *failure);

#endif
