#include "station/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct interrupt {
    int signals; /* descriptor */
    int over;    /* descriptor; readable when the thread is to end */
    pthread_t thread;
    atomic_bool flag;
};

static void *watch(void *context)
{
    struct interrupt *interrupt = context;
    struct pollfd wanted[] = {{interrupt->signals, POLLIN, 0}, {interrupt->over, POLLIN, 0}};
    struct signalfd_siginfo info;
    while (wanted[1].revents == 0) {
        if (poll(wanted, 2, -1) < 0)
            continue;
        while (read(interrupt->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
            atomic_store(&interrupt->flag, true);
    }
    return NULL;
}

static void take_back(struct interrupt *interrupt)
{
    if (interrupt->signals >= 0)
        (void)close(interrupt->signals);
    if (interrupt->over >= 0)
        (void)close(interrupt->over);
    free(interrupt);
}

int interrupt_begin(struct interrupt **interrupt, struct failure *failure)
{
    struct interrupt *made = calloc(1, sizeof(*made));
    sigset_t wanted;
    if (made == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGINT);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigaddset(&wanted, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &wanted, NULL);
    made->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    made->over = eventfd(0, EFD_CLOEXEC);
    int error = made->signals < 0 || made->over < 0
                    ? errno
                    : pthread_create(&made->thread, NULL, watch, made);
    if (error != 0) {
        take_back(made);
        return failure_set(failure, FAILURE_INTERNAL, "signals: %s", strerror(error));
    }
    *interrupt = made;
    return 0;
}

const atomic_bool *interrupt_flag(const struct interrupt *interrupt)
{
    return &interrupt->flag;
}

void interrupt_end(struct interrupt *interrupt)
{
    if (interrupt == NULL)
        return;
    if (eventfd_write(interrupt->over, 1) == 0)
        (void)pthread_join(interrupt->thread, NULL);
    take_back(interrupt);
}
