#include "jigs/simbench/bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "jigs/simbench/bench_site.h"
#include "jigs/simbench/cdc_bridge.h"
#include "jigs/simbench/usbip_server.h"
#include "jigs/simbench/wire_firmware.h"

#define PART_KINDS_MAX (2 * JIG_SITES_MAX) /* on sites, and in faults */

#define LATE_LOOK_US 300000

struct bench_post {
    const struct jig_site *jig_site;
    char link[WIRE_LINK_BYTES]; /* where its port is found, in the bench's directory; "": none */
    char place[WIRE_LINK_BYTES + 8];
    struct jig_contents contents; /* that its boards are found with */
    struct bench_site *site;
    struct wire *wire; /* a serial programmer's… */
    struct wire_firmware_run run;
    struct cdc_bridge cdc;     /* …at its USB port… */
    struct usb_port *usb_port; /* …or a USB programmer's */
    pthread_t thread, usb_thread;
    bool runs, usb_runs;
};

struct bench {
    struct bench_options options;
    int stop_descriptor;
    char directory[WIRE_LINK_BYTES / 2]; /* its own, for links; "": none */
    struct part *parts[PART_KINDS_MAX];
    size_t part_count;
    struct usbip_server *usbip_server; /* NULL: no USB programmer */
    pthread_mutex_t record_lock;
    bool record_failed;
    size_t post_count;
    struct bench_post posts[];
};

/* --- parts --- */

static const struct part *find_part(void *context, const char *name)
{
    struct bench *bench = context;
    for (size_t i = 0; i < bench->part_count; i++) {
        if (strcmp(bench->parts[i]->name, name) == 0) {
            return bench->parts[i];
        }
    }
    return NULL;
}

static int need_part(struct bench *bench, const char *name, struct failure *failure)
{
    if (find_part(bench, name) != NULL) {
        return 0;
    }
    if (bench->part_count == PART_KINDS_MAX) {
        return failure_set(failure, FAILURE_JIG_INVALID, "more than %d kinds of part",
                           PART_KINDS_MAX);
    }
    struct part *part;
    if (part_load(bench->options.parts_directory, name, &part, failure) != 0) {
        return -1;
    }
    bench->parts[bench->part_count++] = part;
    return 0;
}

/* Everything that a fault may call for is there before the first board. */
static int load_parts(struct bench *bench, struct failure *failure)
{
    const struct jig *jig = bench->options.jig;
    if (jig_check_parts(jig, bench->options.parts_directory, failure) != 0) {
        return -1;
    }
    for (size_t i = 0; i < jig->site_count; i++) {
        if (need_part(bench, jig->sites[i].board, failure) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < jig->bench.fault_count; i++) {
        const struct jig_fault *fault = &jig->bench.faults[i];
        if (fault->kind == JIG_FAULT_WRONG_PART && need_part(bench, fault->part, failure) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- faults --- */

/* Is there a programmer that this could happen to? */
static bool fits_somewhere(const struct jig *jig, const struct jig_fault *fault)
{
    enum jig_fault_link link = jig_fault_link(fault->kind);
    for (size_t i = 0; i < jig->site_count; i++) {
        bool usb = usb_firmware_by_name(jig->sites[i].model) != NULL;
        if ((fault->site == 0 || fault->site == jig->sites[i].site) &&
            (link == JIG_LINK_ANY || usb == (link == JIG_LINK_USB))) {
            return true;
        }
    }
    return false;
}

static int check_faults(const struct bench *bench, struct failure *failure)
{
    const struct jig *jig = bench->options.jig;
    for (size_t i = 0; i < jig->bench.fault_count; i++) {
        const struct jig_fault *fault = &jig->bench.faults[i];
        if (!fits_somewhere(jig, fault)) {
            bool usb = jig_fault_link(fault->kind) == JIG_LINK_USB;
            return failure_set(failure, FAILURE_JIG_INVALID,
                               "%s:%d:%d: %s happens to %s programmers only, found none", jig->path,
                               fault->line, fault->column, jig_fault_kind_name(fault->kind),
                               usb ? "USB" : "serial");
        }
    }
    return 0;
}

/* --- records --- */

static void write_record(void *context, struct json_object *line)
{
    struct bench *bench = context;
    if (bench->options.record == NULL) {
        json_object_free(line);
        return;
    }
    pthread_mutex_lock(&bench->record_lock);
    if (json_object_write_line(line, bench->options.record) != 0) {
        bench->record_failed = true;
    }
    pthread_mutex_unlock(&bench->record_lock);
}

/* --- links --- */

static bool can_be_unplugged(const struct jig *jig, int site)
{
    for (size_t i = 0; i < jig->bench.fault_count; i++) {
        const struct jig_fault *fault = &jig->bench.faults[i];
        if (fault->kind == JIG_FAULT_PORT_GONE && (fault->site == 0 || fault->site == site)) {
            return true;
        }
    }
    return false;
}

static int make_directory(struct bench *bench, struct failure *failure)
{
    const char *temporary = getenv("TMPDIR");
    char path[sizeof bench->directory];
    int length = snprintf(path, sizeof path, "%s/simbench-XXXXXX",
                          temporary != NULL && *temporary == '/' ? temporary : "/tmp");
    if (length < 0 || (size_t)length >= sizeof path || mkdtemp(path) == NULL) {
        return failure_set(failure, FAILURE_BENCH, "no temporary directory: %s", strerror(errno));
    }
    memcpy(bench->directory, path, sizeof path);
    return 0;
}

/* A port that comes back is another pseudo terminal; the station must find it where the first one
 * was. */
static int name_link(struct bench *bench, struct bench_post *post, struct failure *failure)
{
    if (!post->jig_site->usb_port && !can_be_unplugged(bench->options.jig, post->jig_site->site)) {
        return 0;
    }
    if (bench->directory[0] == '\0' && make_directory(bench, failure) != 0) {
        return -1;
    }
    snprintf(post->link, sizeof post->link, "%s/site-%d", bench->directory, post->jig_site->site);
    return 0;
}

/* --- sites --- */

static size_t add_name(char *names, size_t names_bytes, size_t used, const char *name)
{
    int count = used < names_bytes
                    ? snprintf(names + used, names_bytes - used, "%s%s", used > 0 ? ", " : "", name)
                    : 0;
    return count > 0 ? used + (size_t)count : used;
}

static int refuse_model(const struct bench *bench, const struct jig_site *site,
                        struct failure *failure)
{
    char names[1024];
    size_t used = 0;
    const struct wire_firmware *wire;
    const struct usb_firmware *usb;
    for (size_t i = 0; (wire = wire_firmware_item(i)) != NULL; i++) {
        used = add_name(names, sizeof names, used, wire->name);
    }
    for (size_t i = 0; (usb = usb_firmware_item(i)) != NULL; i++) {
        used = add_name(names, sizeof names, used, usb->name);
    }
    return failure_set(
        failure, FAILURE_JIG_INVALID, "%s:%d:%d: site %d: found model '%s', expected one of %s",
        bench->options.jig->path, site->line, site->column, site->site, site->model, names);
}

/* How long the operator leaves a place empty. Whoever is told that a board counts as gone after a
 * second does not put the next one in before; a look may come late by a poll and its own time. */
static int64_t empty_time_us(const struct bench_options *options)
{
    const struct jig *jig = options->jig;
    int64_t swap_us = options->real_pace ? jig->bench.swap_us : 0;
    int64_t noticed_us = 0;

    if (jig->contact_gone_us > 0)
        noticed_us = jig->contact_gone_us + 3 * jig->contact_poll_us + LATE_LOOK_US;
    return swap_us > noticed_us ? swap_us : noticed_us;
}

/* In vain, until the next board is put in. */
static int empty_looks(const struct jig_site *site)
{
    static const char *const try_several[] = {"usbasp", "avrispmkii", "stk500v2"};
    const char *programmer = jig_model_programmer(site->model);
    for (size_t i = 0; programmer != NULL && i < sizeof try_several / sizeof *try_several; i++) {
        if (strcmp(programmer, try_several[i]) == 0) {
            return BENCH_SITE_SCK_LOOKS;
        }
    }
    return 1;
}

/* The boards of a site, before it has a programmer. */
static int make_site(struct bench *bench, struct bench_post *post, bool usb,
                     struct failure *failure)
{
    const struct jig_site *site = post->jig_site;
    const struct part *part = find_part(bench, site->board);
    if (jig_load_found(bench->options.jig, site, part, &post->contents, failure) != 0) {
        return -1;
    }
    const struct bench_site_options options = {
        .site = site,
        .bench = &bench->options.jig->bench,
        .usb = usb,
        .lets_go = usb || wire_firmware_by_name(site->model)->lets_go,
        .real_pace = bench->options.real_pace,
        .empty_us = empty_time_us(&bench->options),
        .empty_looks = empty_looks(site),
        .seed = bench->options.seed,
        .part = part,
        .contents = &post->contents,
        .find_part = find_part,
        .record = write_record,
        .context = bench,
    };
    post->site = bench_site_create(&options);
    return post->site != NULL
               ? 0
               : failure_set(failure, FAILURE_OUT_OF_MEMORY, "no memory for site %d", site->site);
}

static void move_plug(void *context, bool there)
{
    const struct bench_post *post = context;
    if (post->usb_port != NULL) {
        usb_port_set_plugged(post->usb_port, there);
    }
}

static int make_wire(struct bench *bench, struct bench_post *post, struct failure *failure)
{
    if (name_link(bench, post, failure) != 0) {
        return -1;
    }
    const struct wire_options options = {
        .real_pace = bench->options.real_pace,
        .line = post->run.firmware->line,
        .baud = post->run.baud,
        .stop_descriptor = bench->stop_descriptor,
        .link = post->link[0] == '\0' ? NULL : post->link,
        .to_programmer = bench_site_to_programmer,
        .from_programmer = bench_site_from_programmer,
        .echo = bench_site_echo,
        .opened = bench_site_opened,
        .overrun = bench_site_overrun,
        .context = post->site,
        .plugged = move_plug,
        .plug_context = post,
    };
    if (wire_create(&options, &post->wire, failure) != 0) {
        return -1;
    }
    snprintf(post->place, sizeof post->place, "pty:%s", wire_path(post->wire));
    post->run.wire = post->wire;
    return 0;
}

static void *run_serial(void *context)
{
    const struct bench_post *post = context;
    post->run.firmware->run(&post->run); /* out of memory: it stays silent, which the host sees */
    return NULL;
}

static int make_cdc(struct bench *bench, struct bench_post *post, struct failure *failure)
{
    const struct jig_site *site = post->jig_site;
    const struct wire_firmware *firmware = post->run.firmware;
    if (firmware->usb == NULL) {
        return failure_set(failure, FAILURE_JIG_INVALID,
                           "%s:%d:%d: site %d: found port: usb, but the model '%s' has no USB port "
                           "of its own, expected port: pty",
                           bench->options.jig->path, site->line, site->column, site->site,
                           site->model);
    }
    post->cdc.wire = post->wire;
    post->cdc.path = post->link;
    return cdc_bridge_create_port(&post->cdc, firmware, site->site, bench->options.real_pace,
                                  bench->stop_descriptor, &post->usb_port, failure);
}

static int make_serial(struct bench *bench, struct bench_post *post,
                       const struct wire_firmware *firmware, struct failure *failure)
{
    const struct jig_site *site = post->jig_site;
    if (make_site(bench, post, false, failure) != 0) {
        return -1;
    }
    post->run = (struct wire_firmware_run){
        .firmware = firmware,
        .port = bench_site_port(post->site),
        .baud = site->baud != 0 ? site->baud : firmware->baud,
        .real_pace = bench->options.real_pace,
        .seed = bench->options.seed + (uint64_t)site->site,
    };
    if (make_wire(bench, post, failure) != 0) {
        return -1;
    }
    return site->usb_port ? make_cdc(bench, post, failure) : 0;
}

static void *run_usb(void *context)
{
    const struct bench_post *post = context;
    usb_port_run(post->usb_port);
    return NULL;
}

static int make_usb(struct bench *bench, struct bench_post *post,
                    const struct usb_firmware *firmware, struct failure *failure)
{
    if (make_site(bench, post, true, failure) != 0) {
        return -1;
    }
    const struct usb_port_options options = {
        .firmware = firmware,
        .isp = bench_site_port(post->site),
        .number = post->jig_site->site,
        .real_pace = bench->options.real_pace,
        .stop_descriptor = bench->stop_descriptor,
        .to_programmer = bench_site_to_usb,
        .from_programmer = bench_site_from_usb,
        .context = post->site,
    };
    return usb_port_create(&options, &post->usb_port, failure);
}

static int make_programmer(struct bench *bench, struct bench_post *post, struct failure *failure)
{
    const struct wire_firmware *wire = wire_firmware_by_name(post->jig_site->model);
    const struct usb_firmware *usb = usb_firmware_by_name(post->jig_site->model);
    return wire != NULL  ? make_serial(bench, post, wire, failure)
           : usb != NULL ? make_usb(bench, post, usb, failure)
                         : refuse_model(bench, post->jig_site, failure);
}

static int start_thread(struct bench_post *post, pthread_t *thread, bool *runs,
                        void *(*run)(void *context), struct failure *failure)
{
    int error = pthread_create(thread, NULL, run, post);
    *runs = error == 0;
    return error == 0 ? 0
                      : failure_set(failure, FAILURE_BENCH, "no thread for site %d: %s",
                                    post->jig_site->site, strerror(error));
}

static int start_site(struct bench *bench, struct bench_post *post, struct failure *failure)
{
    if (make_programmer(bench, post, failure) != 0) {
        return -1;
    }
    if (post->wire != NULL &&
        start_thread(post, &post->thread, &post->runs, run_serial, failure) != 0) {
        return -1;
    }
    return post->usb_port == NULL
               ? 0
               : start_thread(post, &post->usb_thread, &post->usb_runs, run_usb, failure);
}

/* Once all USB ports are there. */
static int start_server(struct bench *bench, struct failure *failure)
{
    struct usb_port *ports[JIG_SITES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < bench->post_count; i++) {
        if (bench->posts[i].usb_port != NULL) {
            ports[count++] = bench->posts[i].usb_port;
        }
    }
    const struct usbip_server_options options = {
        .tcp_port = bench->options.usbip_port, .ports = ports, .port_count = count};
    if (count == 0) {
        return 0;
    }
    if (usbip_server_start(&options, &bench->usbip_server, failure) != 0) {
        return -1;
    }
    for (size_t i = 0; i < bench->post_count; i++) {
        struct bench_post *post = &bench->posts[i];
        if (post->usb_port != NULL) {
            snprintf(post->place, sizeof post->place, "usbip:" USBIP_SERVER_HOST ":%u/%s",
                     (unsigned)usbip_server_tcp_port(bench->usbip_server),
                     usb_port_device(post->usb_port)->busid);
        }
    }
    return 0;
}

/* --- life --- */

static struct bench *create(const struct bench_options *options)
{
    size_t count = options->jig->site_count;
    struct bench *bench = calloc(1, sizeof *bench + count * sizeof *bench->posts);
    if (bench != NULL) {
        bench->options = *options;
        bench->stop_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        bench->post_count = count;
        pthread_mutex_init(&bench->record_lock, NULL);
        for (size_t i = 0; i < count; i++) {
            bench->posts[i].jig_site = &options->jig->sites[i];
        }
    }
    return bench;
}

int bench_start(const struct bench_options *options, struct bench **bench, struct failure *failure)
{
    struct bench *made = create(options);
    if (made == NULL) {
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "no memory for the bench");
    }
    if (made->stop_descriptor < 0) {
        failure_set(failure, FAILURE_BENCH, "no event descriptor: %s", strerror(errno));
        goto stop;
    }
    if (check_faults(made, failure) != 0 || load_parts(made, failure) != 0) {
        goto stop;
    }
    made->options.parts_directory = NULL; /* the caller may free it now */
    for (size_t i = 0; i < made->post_count; i++) {
        if (start_site(made, &made->posts[i], failure) != 0) {
            goto stop;
        }
    }
    if (start_server(made, failure) != 0) {
        goto stop;
    }
    *bench = made;
    return 0;
stop:
    made->options.record = NULL; /* these boards were never there */
    bench_stop(made);
    return -1;
}

static void stop_threads(struct bench *bench)
{
    usbip_server_stop(bench->usbip_server); /* nobody comes to a port that is going away */
    /* Never read, so it stays readable for every thread. */
    if (bench->stop_descriptor >= 0) {
        eventfd_write(bench->stop_descriptor, 1);
    }
    for (size_t i = 0; i < bench->post_count; i++) {
        if (bench->posts[i].runs) {
            pthread_join(bench->posts[i].thread, NULL);
        }
        if (bench->posts[i].usb_runs) {
            pthread_join(bench->posts[i].usb_thread, NULL);
        }
    }
}

int bench_stop(struct bench *bench)
{
    if (bench == NULL) {
        return 0;
    }
    stop_threads(bench);
    for (size_t i = 0; i < bench->post_count; i++) {
        struct bench_post *post = &bench->posts[i];
        if (post->site != NULL) {
            bench_site_remove(post->site);
        }
        bench_site_free(post->site);
        jig_free_contents(&post->contents);
        wire_free(post->wire);
        usb_port_free(post->usb_port);
    }
    for (size_t i = 0; i < bench->part_count; i++) {
        part_free(bench->parts[i]);
    }
    if (bench->stop_descriptor >= 0) {
        close(bench->stop_descriptor);
    }
    if (bench->directory[0] != '\0') {
        rmdir(bench->directory); /* the wires have taken their links away */
    }
    pthread_mutex_destroy(&bench->record_lock);
    bool failed = bench->record_failed;
    free(bench);
    return failed ? -1 : 0;
}

/* --- by site --- */

static const struct bench_post *find_post(const struct bench *bench, int site)
{
    for (size_t i = 0; i < bench->post_count; i++) {
        if (bench->posts[i].jig_site->site == site) {
            return &bench->posts[i];
        }
    }
    return NULL;
}

const char *bench_place(const struct bench *bench, int site)
{
    const struct bench_post *post = find_post(bench, site);
    return post == NULL ? NULL : post->place;
}

int bench_lamp(struct bench *bench, int site, const char *verdict, int64_t shown_us)
{
    const struct bench_post *post = find_post(bench, site);
    if (post == NULL) {
        return -1;
    }
    bench_site_lamp(post->site, verdict, shown_us);
    return 0;
}

int bench_remove(struct bench *bench, int site)
{
    const struct bench_post *post = find_post(bench, site);
    return post == NULL ? -1 : bench_site_remove(post->site);
}

int bench_insert(struct bench *bench, int site)
{
    const struct bench_post *post = find_post(bench, site);
    return post == NULL ? -1 : bench_site_insert(post->site);
}

int bench_record_board(struct bench *bench, int site, FILE *out)
{
    const struct bench_post *post = find_post(bench, site);
    return post == NULL ? -1 : bench_site_write_record(post->site, out);
}
