#include "jigs/drivers/stream_talk.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)

int stream_talk_open(struct stream_talk *talk, const struct place *place, unsigned baud,
                     const struct operation *operation, struct failure *failure)
{
    talk->byte_ns = 10 * NS_PER_S / baud;
    talk->out_of_step = false;
    return link_stream_open(place, baud, operation, &talk->stream, failure);
}

void stream_talk_close(struct stream_talk *talk)
{
    link_stream_close(talk->stream);
    talk->stream = NULL;
}

struct operation stream_talk_steady(const struct operation *operation)
{
    struct operation same = *operation;

    same.cancel = NULL;
    return same;
}

int stream_talk_begin(const struct stream_talk *talk, const struct operation *operation,
                      struct failure *failure)
{
    if (talk->out_of_step)
        return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP,
                           "after a failure only a new session finds back into step");
    return operation_check(operation, failure);
}

int stream_talk_send(struct stream_talk *talk, const uint8_t *bytes, size_t count,
                     const struct operation *operation, struct failure *failure)
{
    if (link_stream_write(talk->stream, bytes, count, operation, failure) == 0)
        return 0;
    talk->out_of_step = true;
    return -1;
}

int stream_talk_hear(struct stream_talk *talk, uint8_t *bytes, size_t count, int64_t beyond_us,
                     const struct operation *operation, struct failure *failure)
{
    if (link_stream_read(talk->stream, bytes, count, STREAM_TALK_REPLY_US + beyond_us, operation,
                         NULL, failure) == 0)
        return 0;
    talk->out_of_step = true;
    return -1;
}

#define USB_FRAME_US 1000

int64_t stream_talk_framed_us(int64_t count, int64_t each_us)
{
    int64_t frames = (each_us + USB_FRAME_US - 1) / USB_FRAME_US;
    int64_t framed_us = (count * frames - 1) * USB_FRAME_US;

    return framed_us > count * each_us ? framed_us : count * each_us;
}

void stream_talk_bytes_to_text(const uint8_t *bytes, size_t count, char *text, size_t text_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < count && used + 4 < text_bytes; i++)
        used +=
            (size_t)snprintf(text + used, text_bytes - used, i > 0 ? " %02X" : "%02X", bytes[i]);
}

int stream_talk_fail_reply(struct stream_talk *talk, const char *asked, const uint8_t *expected,
                           size_t expected_count, const uint8_t *found, size_t count,
                           struct failure *failure)
{
    char found_text[64], expected_text[64];

    talk->out_of_step = true;
    stream_talk_bytes_to_text(found, count, found_text, sizeof found_text);
    stream_talk_bytes_to_text(expected, expected_count, expected_text, sizeof expected_text);
    return failure_set(failure, FAILURE_PROGRAMMER_OUT_OF_STEP, "%s: answered %s, expected %s",
                       asked, found_text, expected_count > 0 ? expected_text : "nothing yet");
}

int stream_talk_expect(struct stream_talk *talk, const char *asked, const uint8_t *expected,
                       size_t count, int64_t beyond_us, const struct operation *operation,
                       struct failure *failure)
{
    uint8_t found[16];

    for (size_t at = 0, now; at < count; at += now) {
        now = count - at < sizeof found ? count - at : sizeof found;
        if (stream_talk_hear(talk, found, now, beyond_us, operation, failure) != 0)
            return -1;
        if (memcmp(found, expected + at, now) != 0)
            return stream_talk_fail_reply(talk, asked, expected + at, now, found, now, failure);
    }
    return 0;
}

int stream_talk_expect_silence(struct stream_talk *talk, const char *asked, int64_t beyond_us,
                               const struct operation *operation, struct failure *failure)
{
    struct failure cause = {0};
    uint8_t found[8];
    size_t count = 0;

    if (link_stream_read(talk->stream, found, sizeof found, STREAM_TALK_QUIET_US + beyond_us,
                         operation, &count, &cause) == 0 ||
        count > 0)
        return stream_talk_fail_reply(talk, asked, NULL, 0, found, count, failure);
    if (cause.code == FAILURE_PROGRAMMER_SILENT)
        return 0;
    talk->out_of_step = true;
    return failure_set(failure, cause.code, "%s", cause.detail);
}

int stream_talk_ask(struct stream_talk *talk, const uint8_t *command, size_t count, uint8_t *reply,
                    size_t reply_bytes, int64_t silence_us, size_t *received,
                    const struct operation *operation, struct failure *failure)
{
    struct failure cause = {0};

    *received = 0;
    if (link_stream_write(talk->stream, command, count, operation, failure) != 0)
        return -1;
    if (link_stream_read(talk->stream, reply, reply_bytes, silence_us, operation, received,
                         &cause) == 0 ||
        cause.code == FAILURE_PROGRAMMER_SILENT)
        return 0;
    return failure_set(failure, cause.code, "%s", cause.detail);
}

int stream_talk_drain(struct stream_talk *talk, int64_t quiet_us, const struct operation *operation,
                      struct failure *failure)
{
    return link_stream_drain(talk->stream, quiet_us, STREAM_TALK_DRAIN_US, operation, failure);
}
