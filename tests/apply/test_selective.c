/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_selective.c: risk against coverage by hand and over all orders, bounds against R and in worlds whose risk is known.
 */
#include "files.h"

#include <bnn/metrics.h>
#include <bnn/selective.h>
#include <math.h>
#include <stdlib.h>

static bnn_selection *select_rows(int n, const double *uncertainty, const double *loss) {
    bnn_selection *s;
    OK(bnn_selection_new(n, uncertainty, loss, &s));
    return s;
}

/* ---------------------------------------------------------------- risk against coverage */

START_TEST(risks_are_those_by_hand) {
    double uncertainty[] = {0.3, 0.1, 0.4, 0.2}, loss[] = {0, 0, 1, 1};
    bnn_selection *s = select_rows(4, uncertainty, loss);
    ck_assert(s->n_points == 4 && s->is_share);
    ck_assert_double_eq_tol(s->aurc, (0 + 1.0 / 2 + 1.0 / 3 + 1.0 / 2) / 4, 1e-15);
    ck_assert_double_eq_tol(s->excess, s->aurc - (0 + 0 + 1.0 / 3 + 1.0 / 2) / 4, 1e-15);
    for (int k = 0; k < 4; k++) ck_assert(s->threshold[k] == 0.1 * (k + 1) || fabs(s->threshold[k] - 0.1 * (k + 1)) < 1e-15);
    ck_assert(s->coverage[1] == 0.5 && s->risk[1] == 0.5 && s->coverage[3] == 1 && s->risk[3] == 0.5);
    bnn_selection_free(s);
}
END_TEST

/* Mean over all orders of the rows of one group. */
static double over_orders(int n, int from, int to, double *loss) {
    double sum = 0, before = 0;
    if (from == to) {
        for (int k = 0; k < n; k++) before += loss[k], sum += before / (k + 1);
        return sum / n;
    }
    for (int k = from; k < to; k++) {
        double first = loss[from];
        loss[from] = loss[k], loss[k] = first;
        sum += over_orders(n, from + 1, to, loss) / (to - from);
        first = loss[from], loss[from] = loss[k], loss[k] = first;
    }
    return sum;
}

START_TEST(equal_rows_have_no_order) {
    double uncertainty[] = {1, 2, 2, 2, 2, 3}, loss[] = {0.5, 2, 0, 1, 0.25, 3};
    bnn_selection *s = select_rows(6, uncertainty, loss);
    ck_assert(s->n_points == 3 && !s->is_share);
    ck_assert_double_eq_tol(s->aurc, over_orders(6, 1, 5, loss), 1e-14);
    bnn_selection_free(s);
}
END_TEST

/* r + (1 - r) log(1 - r), the limit of the best order (Geifman, Uziel & El-Yaniv 2019). */
START_TEST(the_best_order_is_that_of_the_paper) {
    enum { N = 20000 };
    static double uncertainty[N], loss[N];
    double r = 0.2;
    for (int i = 0; i < N; i++) loss[i] = i % 5 == 0, uncertainty[i] = i % 997;
    bnn_selection *s = select_rows(N, uncertainty, loss);
    ck_assert_double_eq_tol(s->aurc - s->excess, r + (1 - r) * log(1 - r), 1e-4);
    bnn_selection_free(s);
}
END_TEST

START_TEST(what_cannot_be_selected_is_refused) {
    double uncertainty[] = {1, NAN}, loss[] = {0, INFINITY}, fine[] = {0, 2};
    bnn_selection *s;
    bnn_referral r;
    REFUSED(bnn_selection_new(0, fine, fine, &s), "risk against coverage needs at least one row");
    REFUSED(bnn_selection_new(2, uncertainty, fine, &s), "the uncertainty of row 1 is not a number");
    REFUSED(bnn_selection_new(2, fine, loss, &s), "the loss of row 1 is inf, not finite and 0 or more");
    s = select_rows(2, fine, fine);
    REFUSED(bnn_refer_share(s, 1, 0.95, &r), "a share of 1 cannot be referred: it is 0 or more, and below 1");
    REFUSED(bnn_refer_share(s, 0.5, 1, &r), "a confidence of 1: it is between 0 and 1");
    REFUSED(bnn_refer_to_risk(s, 0.5, 0.95, &r), "a risk can be promised of losses that are 0 or 1, such as wrong classes");
    bnn_selection_free(s);
    s = select_rows(1, fine, fine);
    REFUSED(bnn_refer_to_risk(s, 1, 0.95, &r), "a risk of 1 cannot be promised: it is between 0 and 1");
    bnn_selection_free(s);
}
END_TEST

/* ---------------------------------------------------------------- referral */

/* binom.test(wrong, n, alternative = "less", conf.level = ...)$conf.int[2] of R 4.2.2 */
START_TEST(bounds_are_those_of_r) {
    static const struct {
        int wrong, n;
        double at_95, at_99;
    } of[] = {{3, 50, 0.147837176364181, 0.187209256165295},
              {0, 20, 0.139108340668265, 0.205671765275719},
              {17, 200, 0.124771133192328, 0.142038297382022},
              {9, 10, 0.994883803108176, 0.99899547129175}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        ck_assert_double_eq_tol(bnn_share_bound(of[i].wrong, of[i].n, 0.95), of[i].at_95, 1e-12);
        ck_assert_double_eq_tol(bnn_share_bound(of[i].wrong, of[i].n, 0.99), of[i].at_99, 1e-12);
    }
    ck_assert(bnn_share_bound(5, 5, 0.95) == 1);
}
END_TEST

START_TEST(a_share_is_referred_and_no_more) {
    enum { N = 15 };
    double uncertainty[N], loss[N];
    bnn_referral r;
    for (int i = 0; i < N; i++) uncertainty[i] = i, loss[i] = i >= 11;
    bnn_selection *s = select_rows(N, uncertainty, loss);
    OK(bnn_refer_share(s, 0.2, 0.95, &r));
    ck_assert(r.kept == 12 && r.threshold == 11);
    ck_assert_double_eq_tol(r.risk, 1.0 / 12, 1e-15);
    ck_assert_double_eq(r.bound, bnn_share_bound(1, 12, 0.95));
    OK(bnn_refer_share(s, 0.25, 0.95, &r));
    ck_assert_int_eq(r.kept, 12);
    OK(bnn_refer_share(s, 0, 0.95, &r));
    ck_assert(r.kept == N && r.risk == 4.0 / N);
    OK(bnn_refer_share(s, 0.99, 0.95, &r));
    ck_assert(r.kept == 1 && r.risk == 0);
    bnn_selection_free(s);
    for (int i = 0; i < N; i++) uncertainty[i] = 1;
    s = select_rows(N, uncertainty, loss);
    OK(bnn_refer_share(s, 0.4, 0.95, &r));
    ck_assert_int_eq(r.kept, 9);
    ck_assert_double_eq_tol(r.risk, 4.0 / N, 1e-15);
    bnn_selection_free(s);
}
END_TEST

START_TEST(a_share_that_is_a_little_below_in_binary_is_referred) {
    double uncertainty[100], loss[100] = {0};
    bnn_referral r;
    for (int i = 0; i < 100; i++) uncertainty[i] = i;
    bnn_selection *s = select_rows(100, uncertainty, loss);
    OK(bnn_refer_share(s, 0.29, 0.95, &r));
    ck_assert_int_eq(r.kept, 71);
    bnn_selection_free(s);
}
END_TEST

/* Uncertainty u is uniform in (0,1), a row is wrong with probability u/2: the risk up to t is t/4. */
START_TEST(a_promised_risk_is_kept) {
    enum { N = 400, WORLDS = 1000 };
    static double uncertainty[N], loss[N];
    static bnn_real z[2 * N];
    int broken = 0, referred = 0;
    for (int w = 0; w < WORLDS; w++) {
        bnn_referral r;
        bnn_rng_uniform(bnn_rng_seed((uint64_t)w), 0, N, 2, z);
        for (int i = 0; i < N; i++) uncertainty[i] = (double)z[2 * i], loss[i] = (double)z[2 * i + 1] < uncertainty[i] / 2;
        bnn_selection *s = select_rows(N, uncertainty, loss);
        OK(bnn_refer_to_risk(s, 0.15, 0.9, &r));
        if (r.kept > 0)
            ck_assert(r.bound <= 0.15 && r.bound == bnn_share_bound(round(r.risk * r.kept), r.kept, 1 - (1 - 0.9) / 9)); /* 2^9 > N */
        broken += r.kept > 0 && r.threshold / 4 > 0.15;
        referred += N - r.kept;
        bnn_selection_free(s);
    }
    ck_assert_msg(broken <= 0.1 * WORLDS, "%d of %d promises are broken, 10 %% are allowed", broken, WORLDS);
    double share = (double)referred / N / WORLDS;
    ck_assert_msg(share > 0.4 && share < 0.8, "%g are referred, where 0.4 would do", share);
}
END_TEST

START_TEST(where_nothing_can_be_promised_all_are_referred) {
    double uncertainty[] = {1, 2, 3}, loss[] = {0, 0, 0};
    bnn_referral r;
    bnn_selection *s = select_rows(3, uncertainty, loss);
    OK(bnn_refer_to_risk(s, 0.01, 0.95, &r));
    ck_assert(r.kept == 0 && isnan(r.risk) && isnan(r.bound) && isnan(r.threshold));
    OK(bnn_refer_to_risk(s, 0.9, 0.95, &r));
    ck_assert(r.kept == 3 && r.risk == 0);
    bnn_selection_free(s);
}
END_TEST

/* ---------------------------------------------------------------- predictions */

START_TEST(losses_are_those_of_the_scores) {
    for (int classes = 0; classes <= 3; classes += 3) {
        bnn_table *table = table_new(60, 3, classes, 3);
        bnn_data *data = data_new(table);
        bnn_run *run;
        bnn_prediction *p;
        bnn_metrics m;
        double loss[60], uncertainty[60], sum = 0;
        OK(bnn_fit(&(bnn_config){sizeof(bnn_config), .net = "dense", .engine = "map:steps=30", .seed = 1}, data, &run));
        OK(bnn_run_predict(run, data, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 1}, &p));
        OK(bnn_metrics_compute(p, data, &m));
        OK(bnn_prediction_losses(p, data, loss));
        for (int i = 0; i < 60; i++) sum += loss[i] / 60;
        ck_assert_double_eq_tol(sum, classes ? 1 - m.accuracy : m.rmse * m.rmse, 1e-5 * fmax(1, sum));
        OK(bnn_prediction_uncertainty(p, data, classes ? BNN_ROW_ENTROPY : BNN_ROW_VARIANCE, uncertainty));
        if (classes) ck_assert_double_eq(uncertainty[7], bnn_prediction_entropy(p, 7));
        SAYS(bnn_prediction_uncertainty(p, data, BNN_ROW_ENERGY, uncertainty), "'energy' cannot be told of a prediction of");
        bnn_prediction_free(p);
        bnn_run_free(run);
        bnn_data_free(data);
        bnn_table_free(table);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        risks_are_those_by_hand,
        equal_rows_have_no_order,
        the_best_order_is_that_of_the_paper,
        what_cannot_be_selected_is_refused,
        bounds_are_those_of_r,
        a_share_is_referred_and_no_more,
        a_share_that_is_a_little_below_in_binary_is_referred,
        a_promised_risk_is_kept,
        where_nothing_can_be_promised_all_are_referred,
        losses_are_those_of_the_scores,
        NULL,
    };
    return run_tests("selective", tests);
}
