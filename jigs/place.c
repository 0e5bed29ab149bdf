#include "jigs/place.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define EXPECTED "expected serial:/dev/…, pty:/dev/pts/N or tcp:HOST:PORT"

static int fail(const char *text, struct failure *failure)
{
    return failure_set(failure, FAILURE_JIG_INVALID, "'%.80s' is no place, " EXPECTED, text);
}

static int parse_device(const char *text, const char *path, enum place_kind kind,
                        struct place *place, struct failure *failure)
{
    if (path[0] != '/')
        return fail(text, failure);
    if (strlen(path) >= sizeof place->path)
        return failure_set(failure, FAILURE_JIG_INVALID,
                           "a device path of %zu characters, expected at most %zu", strlen(path),
                           sizeof place->path - 1);
    place->kind = kind;
    memcpy(place->path, path, strlen(path) + 1);
    return 0;
}

/* Digits only: strtoul() would also take signs and blanks. */
static int parse_port(const char *text, uint16_t *port)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = strtoul(text, NULL, 10);

    if (digits == 0 || digits > 5 || text[digits] != '\0' || value == 0 || value > UINT16_MAX)
        return -1;
    *port = (uint16_t)value;
    return 0;
}

/* HOST:PORT, where an IPv6 address stands in brackets. */
static int parse_tcp(const char *text, const char *address, struct place *place,
                     struct failure *failure)
{
    const char *colon = strrchr(address, ':');
    const char *host = address;
    size_t length = colon != NULL ? (size_t)(colon - address) : 0;

    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    } else if (memchr(host, ':', length) != NULL) {
        return fail(text, failure);
    }
    if (length == 0 || length >= sizeof place->path || parse_port(colon + 1, &place->port) != 0)
        return fail(text, failure);
    place->kind = PLACE_TCP;
    memcpy(place->path, host, length);
    place->path[length] = '\0';
    return 0;
}

int place_parse(const char *text, struct place *place, struct failure *failure)
{
    memset(place, 0, sizeof *place);
    if (strncmp(text, "serial:", 7) == 0)
        return parse_device(text, text + 7, PLACE_SERIAL, place, failure);
    if (strncmp(text, "pty:", 4) == 0)
        return parse_device(text, text + 4, PLACE_PTY, place, failure);
    if (strncmp(text, "tcp:", 4) == 0)
        return parse_tcp(text, text + 4, place, failure);
    return fail(text, failure);
}

void place_to_text(const struct place *place, char *text, size_t text_bytes)
{
    bool brackets = strchr(place->path, ':') != NULL;

    switch (place->kind) {
    case PLACE_NONE:
        snprintf(text, text_bytes, "none");
        break;
    case PLACE_SERIAL:
        snprintf(text, text_bytes, "serial:%s", place->path);
        break;
    case PLACE_PTY:
        snprintf(text, text_bytes, "pty:%s", place->path);
        break;
    case PLACE_TCP:
        snprintf(text, text_bytes, brackets ? "tcp:[%s]:%u" : "tcp:%s:%u", place->path,
                 (unsigned)place->port);
        break;
    }
}

static bool same_device(const char *a, const char *b)
{
    char real_a[PATH_MAX], real_b[PATH_MAX];
    struct stat stat_a, stat_b;

    if (strcmp(a, b) == 0)
        return true;
    if (realpath(a, real_a) != NULL && realpath(b, real_b) != NULL && strcmp(real_a, real_b) == 0)
        return true;
    /* Two nodes of one device, as containers and chroots have them. */
    return stat(a, &stat_a) == 0 && stat(b, &stat_b) == 0 && S_ISCHR(stat_a.st_mode) &&
           S_ISCHR(stat_b.st_mode) && stat_a.st_rdev == stat_b.st_rdev;
}

static bool has_address(const struct addrinfo *list, const struct addrinfo *wanted)
{
    for (; list != NULL; list = list->ai_next)
        if (list->ai_addrlen == wanted->ai_addrlen &&
            memcmp(list->ai_addr, wanted->ai_addr, wanted->ai_addrlen) == 0)
            return true;
    return false;
}

/* Two names of one host? A name that cannot be resolved is the same as itself only. */
static bool same_host(const char *a, const char *b)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list_a = NULL, *list_b = NULL;
    bool same = strcasecmp(a, b) == 0;

    if (!same && getaddrinfo(a, NULL, &hints, &list_a) == 0 &&
        getaddrinfo(b, NULL, &hints, &list_b) == 0)
        for (const struct addrinfo *at = list_a; at != NULL && !same; at = at->ai_next)
            same = has_address(list_b, at);
    if (list_a != NULL)
        freeaddrinfo(list_a);
    if (list_b != NULL)
        freeaddrinfo(list_b);
    return same;
}

bool place_same(const struct place *a, const struct place *b)
{
    if (a->kind == PLACE_NONE || b->kind == PLACE_NONE)
        return false;
    if (a->kind == PLACE_TCP || b->kind == PLACE_TCP)
        return a->kind == b->kind && a->port == b->port && same_host(a->path, b->path);
    return same_device(a->path, b->path);
}
