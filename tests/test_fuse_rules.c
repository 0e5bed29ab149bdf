/* The engine of the rules, and those for the fuses that take the way into a board. */
#include "tests/rules_fixture.h"

#include "profiles/fuse_gate.h"

static const char head[] =
    "format: 1\nprofile: p\narticle: a\nrevision: b\nvia: isp\npart: ATmega328P\n"
    "images:\n  - file: app.hex\neeprom: erase\n";

/* A profile of an ATmega328P with this high fuse, and more lines at the end. */
static void look(struct rules_bench *bench, const char *high, const char *more)
{
    char text[1024];

    rules_write_hex(bench, "app.hex", 0, 64, 0x12);
    snprintf(text, sizeof(text),
             "%sfuses:\n  low: leave\n  high: %s\n  extended: leave\nlock: leave\n%s", head, high,
             more);
    rules_look(bench, text, 0);
}

static int judge(const struct rules_bench *bench, struct failure *failure)
{
    return fuse_rules_judge(bench->profile, 0, failure);
}

static void test_doors(void **state)
{
    static const struct {
        const char *high, *rule;
        int column;
        bool is_accepted_value;
    } cases[] = {
        {"0x59", "rstdisbl", 9, false},
        {"0x99", "dwen", 9, false},
        {"0xF9", "spien", 9, false},
        {"{write: 0x5F}", "rstdisbl", 17, false},
        {"{write: 0xD9, accept: [0xDB, 0x5B], because: x}", "rstdisbl", 38, true},
        {"{write: 0xD9, accept: [0x9B], because: x}", "dwen", 32, true},
        {"{write: 0xD9, accept: [{SPIEN: off}], because: x}", "spien", 32, true},
        {"{BOOTRST: off, BOOTSZ: 256 words, EESAVE: off, WDTON: off, SPIEN: on, DWEN: on, "
         "RSTDISBL: off}",
         "dwen", 9, false},
    };
    struct rules_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct failure failure = {0};
        const struct fuse_finding *finding;
        char place[96];

        look(bench, cases[i].high, "");
        finding = rules_found(bench, cases[i].rule);
        assert_non_null(finding);
        assert_true(fuse_finding_refuses(finding));
        assert_int_equal(finding->memory, PART_FUSE_HIGH);
        assert_int_equal(finding->position.line, 12);
        assert_int_equal(finding->position.column, cases[i].column);
        assert_int_equal(finding->is_accepted_value, cases[i].is_accepted_value);
        assert_int_equal(judge(bench, &failure), -1);
        assert_int_equal(failure.code, FAILURE_RULE_REFUSED);
        snprintf(place, sizeof(place), "profile.yaml:12:%d: rule %s: high 0x", cases[i].column,
                 cases[i].rule);
        assert_non_null(strstr(failure.detail, place));
        assert_non_null(strstr(failure.detail, "this station could never reach the board again"));
    }
}

/* All 256 values: exactly those that keep the board reachable are let through. */
static void test_doors_every_value(void **state)
{
    struct rules_bench *bench = *state;

    for (int value = 0; value < 256; value++) {
        char high[8];

        snprintf(high, sizeof(high), "0x%02X", (unsigned)value);
        look(bench, high, "");
        assert_int_equal(rules_found(bench, "spien") != NULL, (value & 0x20) != 0);
        assert_int_equal(rules_found(bench, "dwen") != NULL, (value & 0x40) == 0);
        assert_int_equal(rules_found(bench, "rstdisbl") != NULL, (value & 0x80) == 0);
    }
}

static void test_risk(void **state)
{
    static const char risk[] = "accept_risk: {rule: dwen, because: the debugger is wanted}\n";
    struct rules_bench *bench = *state;
    const struct fuse_finding *finding;
    struct failure failure = {0};

    look(bench, "0x99", risk);
    finding = rules_found(bench, "dwen");
    assert_non_null(finding);
    assert_false(fuse_finding_refuses(finding));
    assert_string_equal(finding->risk->because, "the debugger is wanted");
    assert_int_equal(judge(bench, &failure), 0);
    assert_null(rules_found(bench, "unused-risk"));

    /* It accepts no other rule, */
    look(bench, "0x19", risk);
    assert_int_equal(judge(bench, &failure), -1);
    assert_non_null(strstr(failure.detail, "rule rstdisbl: "));
    /* and is not left standing about. */
    look(bench, "0xD9", risk);
    finding = rules_found(bench, "unused-risk");
    assert_non_null(finding);
    assert_int_equal(finding->position.line, 15);
    assert_int_equal(judge(bench, &failure), 0);
    look(bench, "0x19",
         "accept_risk:\n  - {rule: dwen, because: a}\n  - {rule: rstdisbl, because: b}\n");
    assert_int_equal(judge(bench, &failure), 0);
}

/* What nothing breaks goes: it is no risk of these boards, and opens no door. */
static void test_risk_dropped(void **state)
{
    static const char risks[] = "accept_risk:\n  - {rule: rstdisbl, because: a}\n"
                                "  - {rule: dwen, because: b}\n"
                                "  - {rule: brown-out, because: c}\n";
    struct rules_bench *bench = *state;
    struct failure failure = {0};

    look(bench, "0x99", risks);
    assert_int_equal(fuse_rules_drop_unused_risks(bench->profile, 3300, &failure), 0);
    assert_int_equal(bench->profile->risk_count, 1);
    assert_string_equal(bench->profile->risks[0].rule, "dwen");
    assert_int_equal(judge(bench, &failure), 0);
    assert_null(profile_find_risk(bench->profile, "rstdisbl"));
}

static size_t count_unused(const struct rules_bench *bench)
{
    size_t count = 0;

    for (size_t i = 0; i < bench->findings.count; i++)
        count += strcmp(bench->findings.list[i].rule->name, "unused-risk") == 0;
    return count;
}

/* Whether a risk of the brown-out level is run depends on a supply that is not known. */
static void test_risk_of_brown_out(void **state)
{
    static const char more[] = "accept_risk: {rule: brown-out, because: x}\n";
    struct rules_bench *bench = *state;
    struct failure failure = {0};

    look(bench, "0xD9", more);
    assert_int_equal(count_unused(bench), 0);
    fuse_findings_free(&bench->findings);
    assert_int_equal(fuse_rules_apply(bench->profile, 5000, &bench->findings, &failure), 0);
    assert_int_equal(count_unused(bench), 1);
}

static void test_risk_refused(void **state)
{
    static const struct {
        const char *risk, *message;
    } cases[] = {
        {"{rule: dwem, because: x}", ":15:21: there is no rule 'dwem', did you mean 'dwen'?"},
        {"{rule: zzzzzzzz, because: x}", "there is no rule 'zzzzzzzz'; gangflash check --rules"},
        {"{rule: spien, because: x}", ":15:21: the rule spien takes no exception: Without SPIEN"},
        {"{rule: unused-risk, because: x}", ":15:21: the rule unused-risk only warns"},
        {"{rule: dwen}", "because"},
        {"{rule: dwen, because: ''}", "found '', expected a reason in words"},
        {"{rule: dwen, because: ' '}", ":15:36: found ' ', expected a reason in words"},
        {"{rule: dwen, because: '-?!'}", "found '-?!', expected a reason in words"},
        {"{rule: dwen, because: '\xC2\xA0\xE2\x80\x94'}", "expected a reason in words"},
        {"{because: x}", "the key 'rule' is missing"},
        {"{rule: dwen, becaus: x}", "did you mean 'because'"},
        {"dwen", "expected {rule: …, because: …}"},
        {"[]", "expected {rule: …, because: …}"},
        {"[{rule: dwen, because: x}, {rule: dwen, because: y}]", "the rule dwen is given twice"},
    };
    struct rules_bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct profile *profile = NULL;
        struct failure failure = {0};
        char text[1024];

        rules_write_hex(bench, "app.hex", 0, 64, 0x12);
        snprintf(text, sizeof(text),
                 "%sfuses: {low: leave, high: 0x99, extended: leave}\nlock: leave\n\n\n\n"
                 "accept_risk: %s\n",
                 head, cases[i].risk);
        rules_write_file(bench, "profile.yaml", text);
        assert_int_equal(profile_load(bench->path, SHIPPED_PARTS_DIRECTORY, &profile, &failure),
                         -1);
        assert_int_equal(failure.code, FAILURE_PROFILE_INVALID);
        if (!strstr(failure.detail, cases[i].message))
            fail_msg("'%s' lacks '%s'", failure.detail, cases[i].message);
    }
}

/* Whoever comes to the gate past the rules gets no permit either. */
static void test_gate(void **state)
{
    struct rules_bench *bench = *state;
    static const struct {
        const char *high, *more;
        uint8_t value;
        int result;
    } cases[] = {
        {"0x99", "", 0x99, -1},
        {"0x59", "", 0x59, -1},
        {"0xF9", "", 0xF9, -1},
        {"0x99", "accept_risk: {rule: dwen, because: x}\n", 0x99, 0},
        {"0x59", "accept_risk: {rule: dwen, because: x}\n", 0x59, -1},
        {"0xD8", "", 0xD8, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fuse_permit *permit = NULL;
        struct failure failure = {0};
        struct fuse_gate *gate;

        look(bench, cases[i].high, cases[i].more);
        gate = fuse_gate_create(bench->profile);
        assert_non_null(gate);
        assert_int_equal(
            fuse_gate_enter_session(gate, 1, bench->profile->part->signature, &failure), 0);
        assert_int_equal(
            fuse_gate_permit_write(gate, PART_FUSE_HIGH, 0xD9, cases[i].value, &permit, &failure),
            cases[i].result);
        assert_int_equal(permit != NULL, cases[i].result == 0);
        if (cases[i].result != 0)
            assert_int_equal(failure.code, FAILURE_FUSE_REFUSED);
        fuse_gate_free(gate);
    }
}

static void test_table(void **state)
{
    size_t count = 0;
    const struct fuse_rule *rules = fuse_rules_table(&count);

    (void)state;
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(fuse_rules_find(rules[i].name), &rules[i]); /* each name once */
        assert_true(strlen(rules[i].name) < PROFILE_RULE_NAME_BYTES);
        assert_int_equal(rules[i].reason[strlen(rules[i].reason) - 1], '.');
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, rules_set_up, rules_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_doors),        TEST(test_doors_every_value), TEST(test_risk),
        TEST(test_risk_dropped), TEST(test_risk_of_brown_out), TEST(test_risk_refused),
        TEST(test_gate),         cmocka_unit_test(test_table)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
