#include "station/event.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "jigs/operation.h"

/* As many events may wait before PROGRESS is thought not worth keeping: two seconds' worth of
 * twelve busy sites. */
#define WAITING_MAX_FOR_PROGRESS 256

struct event_node {
    struct event_node *next;
    struct station_event event;
};

struct event_queue {
    pthread_mutex_t mutex;
    struct event_node *first;
    struct event_node **end; /* where the next node is hung up */
    int waiting;
    int lost;
    int descriptor; /* readable while waiting + lost > 0 */
};

const char *site_state_name(enum site_state state)
{
    static const char *const names[] = {
        [SITE_CLAIMING] = "claiming", [SITE_ARMED] = "armed",     [SITE_WORKING] = "working",
        [SITE_HELD] = "held",         [SITE_WAITING] = "waiting", [SITE_OUT] = "out",
        [SITE_STOPPED] = "stopped"};

    if ((size_t)state >= sizeof names / sizeof names[0])
        return "unknown";
    return names[state];
}

static int64_t boards_seen(const struct station_counts *counts)
{
    return counts->passed + counts->failed + counts->refused + counts->unverified +
           counts->interrupted;
}

double station_yield_percent(const struct station_counts *counts)
{
    int64_t boards = boards_seen(counts);

    return boards == 0 ? -1 : 100.0 * (double)counts->passed / (double)boards;
}

int64_t station_remaining(const struct station_counts *counts)
{
    if (counts->lot_count == 0)
        return -1;
    return counts->lot_count > counts->lot_passed ? counts->lot_count - counts->lot_passed : 0;
}

int station_exit_status(const struct station_counts *counts, const struct station_outcome *outcome)
{
    if (outcome->log_fault)
        return 5;
    if (outcome->interrupted)
        return 130;
    if (outcome->site_out)
        return 4;
    return counts->passed > 0 && counts->passed == boards_seen(counts) ? 0 : 1;
}

struct event_queue *event_queue_create(void)
{
    struct event_queue *queue = calloc(1, sizeof *queue);

    if (queue == NULL)
        return NULL;
    queue->end = &queue->first;
    queue->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->descriptor < 0) {
        free(queue);
        return NULL;
    }
    pthread_mutex_init(&queue->mutex, NULL);
    return queue;
}

void event_queue_free(struct event_queue *queue)
{
    if (queue == NULL)
        return;
    while (queue->first != NULL) {
        struct event_node *node = queue->first;

        queue->first = node->next;
        free(node);
    }
    close(queue->descriptor);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

/* Neither call can fail: the counter never comes near its limit, and is read only while above 0. */
static void raise_descriptor(struct event_queue *queue)
{
    eventfd_write(queue->descriptor, 1);
}

static void lower_descriptor(struct event_queue *queue)
{
    eventfd_t value;

    eventfd_read(queue->descriptor, &value);
}

void event_queue_push(struct event_queue *queue, const struct station_event *event)
{
    struct event_node *node = NULL;
    bool droppable = event->kind == STATION_EVENT_PROGRESS;

    pthread_mutex_lock(&queue->mutex);
    if (!droppable || queue->waiting < WAITING_MAX_FOR_PROGRESS) {
        node = malloc(sizeof *node);
        if (queue->waiting + queue->lost == 0 && (node != NULL || !droppable))
            raise_descriptor(queue);
        if (node == NULL && !droppable)
            queue->lost++;
    }
    if (node != NULL) {
        node->next = NULL;
        node->event = *event;
        if (node->event.at_us == 0)
            node->event.at_us = operation_wall_us();
        *queue->end = node;
        queue->end = &node->next;
        queue->waiting++;
    }
    pthread_mutex_unlock(&queue->mutex);
}

static void tell_lost(struct event_queue *queue, struct station_event *event)
{
    *event = (struct station_event){.kind = STATION_EVENT_MESSAGE, .at_us = operation_wall_us()};
    snprintf(event->text, sizeof event->text,
             "out of memory: %d events could not be shown; the log has all verdicts", queue->lost);
    queue->lost = 0;
}

bool event_queue_pop(struct event_queue *queue, struct station_event *event)
{
    bool popped = true;

    pthread_mutex_lock(&queue->mutex);
    if (queue->first != NULL) {
        struct event_node *node = queue->first;

        *event = node->event;
        queue->first = node->next;
        if (queue->first == NULL)
            queue->end = &queue->first;
        queue->waiting--;
        free(node);
    } else if (queue->lost > 0) {
        tell_lost(queue, event);
    } else {
        popped = false;
    }
    if (popped && queue->waiting + queue->lost == 0)
        lower_descriptor(queue);
    pthread_mutex_unlock(&queue->mutex);
    return popped;
}

int event_queue_descriptor(const struct event_queue *queue)
{
    return queue->descriptor;
}
