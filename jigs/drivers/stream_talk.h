/* Talking to a programmer over a stream: sending, hearing, and knowing whether both are still in
 * step. Shared by drivers whose protocols have neither lengths nor checksums. */
#ifndef JIGS_DRIVERS_STREAM_TALK_H
#define JIGS_DRIVERS_STREAM_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/link_stream.h"
#include "jigs/operation.h"

struct stream_talk {
    struct link_stream *stream; /* NULL: not open */
    int64_t byte_ns;            /* on the wire */
    bool out_of_step;           /* an exchange failed: the driver must recover before the next */
};

#define STREAM_TALK_REPLY_US 1000000 /* that a command's answer may let wait for */
/* Nothing more comes: longer than any adapter's latency timer. */
#define STREAM_TALK_QUIET_US 30000
#define STREAM_TALK_DRAIN_US 1000000 /* a long answer may still be on its way */

int stream_talk_open(struct stream_talk *talk, const struct place *place, unsigned baud,
                     const struct operation *operation, struct failure *failure);
void stream_talk_close(struct stream_talk *talk);

/* A command once begun is finished, so that a cancellation leaves nobody out of step: the same
 * operation, but it cannot be cancelled. */
struct operation stream_talk_steady(const struct operation *operation);
/* Before each command of a session: refuses while out of step. */
int stream_talk_begin(const struct stream_talk *talk, const struct operation *operation,
                      struct failure *failure);

int stream_talk_send(struct stream_talk *talk, const uint8_t *bytes, size_t count,
                     const struct operation *operation, struct failure *failure);
/* Exactly so many bytes. `beyond_us` is what the answer may need on top of the usual. */
int stream_talk_hear(struct stream_talk *talk, uint8_t *bytes, size_t count, int64_t beyond_us,
                     const struct operation *operation, struct failure *failure);
/* Exactly these bytes; `asked` names the command for the message. */
int stream_talk_expect(struct stream_talk *talk, const char *asked, const uint8_t *expected,
                       size_t count, int64_t beyond_us, const struct operation *operation,
                       struct failure *failure);
/* Nothing may come for STREAM_TALK_QUIET_US and `beyond_us`. */
int stream_talk_expect_silence(struct stream_talk *talk, const char *asked, int64_t beyond_us,
                               const struct operation *operation, struct failure *failure);
int stream_talk_fail_reply(struct stream_talk *talk, const char *asked, const uint8_t *expected,
                           size_t expected_count, const uint8_t *found, size_t count,
                           struct failure *failure);

/* Sends a command and hears what comes, right or wrong, until `reply_bytes` are there or nothing
 * came for `silence_us`: fails only when the link does. */
int stream_talk_ask(struct stream_talk *talk, const uint8_t *command, size_t count, uint8_t *reply,
                    size_t reply_bytes, int64_t silence_us, size_t *received,
                    const struct operation *operation, struct failure *failure);
int stream_talk_drain(struct stream_talk *talk, int64_t quiet_us, const struct operation *operation,
                      struct failure *failure);

/* The time of `count` exchanges of `each_us`, of which each begins when the one before was
 * answered. An adapter hands over what came in frames of 1 ms (USB 2.0, 5.3.3), so an answer takes
 * whole frames; but the first exchange may begin at the end of one. A serial port that is not on
 * USB has none, and may be up to 1 ms quicker with each. */
int64_t stream_talk_framed_us(int64_t count, int64_t each_us);

/* "14 41 56"; cut short where it does not fit. */
void stream_talk_bytes_to_text(const uint8_t *bytes, size_t count, char *text, size_t text_bytes);

#endif
