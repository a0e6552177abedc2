/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scores.h"

#include "tool/print/json.h"
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 3, NAME_TEXT = 24 };
static const int shown[SHOWN] = {9, 17, 18}; /* levels: 50, 90, 95 % */

const bnn_score *tool_scores_first(const bnn_metrics *m) {
    return bnn_score_find(m->of & BNN_SCORE_MAPS     ? "iou"
                          : m->is_class              ? "accuracy"
                          : m->of & BNN_SCORE_TARGET ? "rmse"
                                                     : "calibration_error");
}

static const char *name_of(const bnn_prediction *p, const bnn_data *data, int k, char number[NAME_TEXT]) {
    char *const *names = p->is_class ? data->table->class_names : data->table->y_names;
    snprintf(number, NAME_TEXT, "%d", p->is_class ? k : k + 1);
    return names ? names[k] : number;
}

/* ---------------------------------------------------------------- text */

static void print_rows(const char *rows, const bnn_prediction *p, const bnn_metrics *m) {
    printf("%s%s: %d row%s, ", rows, strcmp(rows, "test") == 0 ? "" : " rows", m->n, m->n == 1 ? "" : "s");
    if (m->weight != m->n) printf("of weight %.6g, ", m->weight);
    if (p->samples > 0)
        printf("%d draw%s\n", p->samples, p->samples == 1 ? "" : "s");
    else
        printf("in closed form\n");
    printf("  log-likelihood   %10.4f  (se %.4f; mean per %s, nats)\n", m->ll, m->ll_se, m->of & BNN_SCORE_MAPS ? "pixel" : "row");
}

static void print_target(const bnn_metrics *m) {
    printf("  rmse             %10.5g\n  mae              %10.5g\n  r2               %10.4f\n", m->rmse, m->mae, m->r2);
    printf("  crps             %10.5g%s\n", m->crps, m->crps_gaussian ? "  (of a Gaussian with the predictive mean and variance)" : "");
}

static void print_coverage(const bnn_metrics *m) {
    printf("  coverage 50/90/95    %.3f  %.3f  %.3f  (calibration error %.3f)\n", m->coverage[shown[0]], m->coverage[shown[1]],
           m->coverage[shown[2]], m->calibration_error);
    printf("  over or under       ");
    for (int i = 0; i < SHOWN; i++) printf("%+.3f ", m->coverage[shown[i]] - bnn_calibration_level(shown[i]));
    printf(" (se");
    for (int i = 0; i < SHOWN; i++) printf(" %.3f", bnn_coverage_se(bnn_calibration_level(shown[i]), m->weight));
    printf("; above 0: too wide)\n");
}

static void print_targets(const bnn_prediction *p, const bnn_data *data, const bnn_metrics *each) {
    char number[NAME_TEXT];
    printf("  %-16s %10s %10s %8s %10s %11s %10s %10s\n", "target", "rmse", "mae", "r2", "crps", "coverage_90", "epistemic", "aleatoric");
    for (int k = 0; k < p->mean_dim; k++)
        printf("  %-16s %10.5g %10.5g %8.4f %10.5g %11.3f %10.5g %10.5g\n", tool_line(name_of(p, data, k, number)), each[k].rmse,
               each[k].mae, each[k].r2, each[k].crps, each[k].coverage[shown[1]], each[k].sd_epistemic, each[k].sd_aleatoric);
    if (each[0].crps_gaussian) printf("  crps is that of a Gaussian with the predictive mean and variance\n");
}

static void print_classes(const bnn_metrics *m) {
    printf("  accuracy         %10.4f  (balanced %.4f)\n", m->accuracy, m->balanced_accuracy);
    printf("  auc              %10.4f  (mean over classes, each against the others)\n  f1               %10.4f  (likewise)\n", m->auc,
           m->f1);
    printf("  brier            %10.4f\n  ece              %10.4f  (%d bins; debiased %.4f)\n", m->brier, m->ece, BNN_ECE_BINS,
           m->ece_debiased);
    printf("  entropy          %10.4f  (of it mutual information %.4f)\n", m->mean_entropy, m->mean_mutual_information);
}

static void print_with_error(const char *name, double value, double se, const char *more) {
    printf("  %-23s %9.4f  (se %.4f)%s\n", name, value, se, more);
}

static void print_maps(const bnn_metrics *m) {
    print_with_error("mean iou", m->iou, m->iou_se, "");
    print_with_error("accuracy", m->accuracy, m->accuracy_se, "");
    print_with_error("brier", m->brier, m->brier_se, "");
    print_with_error("ece", m->ece, m->ece_se, "");
    printf("  %-23s %9.4f  (of it mutual information %.4f)\n", "entropy", m->mean_entropy, m->mean_mutual_information);
    print_with_error("p(accurate|certain)", m->p_accurate_certain, m->p_accurate_certain_se, "  certain: below the mean entropy");
    print_with_error("p(uncertain|inaccurate)", m->p_uncertain_inaccurate, m->p_uncertain_inaccurate_se, "");
    print_with_error("pavpu", m->pavpu, m->pavpu_se, "");
}

static void print_each_map(const bnn_prediction *p, const bnn_data *data, const bnn_metrics *each) {
    char number[NAME_TEXT];
    printf("  %-16s %10s %8s %8s %10s %8s %11s\n", "class", "pixels", "iou", "(se)", "precision", "recall", "confidence");
    for (int k = 0; k < bnn_prediction_width(p); k++)
        printf("  %-16s %10.0f %8.4f %8.4f %10.4f %8.4f %11.4f\n", tool_line(name_of(p, data, k, number)), each[k].pixels, each[k].iou,
               each[k].iou_se, each[k].precision, each[k].recall, each[k].confidence);
}

static void print_each_class(const bnn_prediction *p, const bnn_data *data, const bnn_metrics *each) {
    char number[NAME_TEXT];
    if (p->mean_dim > TOOL_MOST_CLASSES) {
        printf("  scores of each of the %d classes: `bnn evaluate --json`\n", p->mean_dim);
        return;
    }
    printf("  %-16s %8s %10s %8s %8s %8s %11s\n", "class", "rows", "precision", "recall", "f1", "auc", "confidence");
    for (int k = 0; k < p->mean_dim; k++)
        printf("  %-16s %8d %10.4f %8.4f %8.4f %8.4f %11.4f\n", tool_line(name_of(p, data, k, number)), each[k].n, each[k].precision,
               each[k].recall, each[k].f1, each[k].auc, each[k].confidence);
}

static bnn_status print_remarks(const bnn_metrics *m) {
    bnn_remarks *remarks;
    BNN_TRY(bnn_remarks_new(&remarks));
    bnn_status s = bnn_metrics_remark(m, remarks);
    for (int i = 0; i < bnn_remarks_count(remarks); i++) printf("  warning: %s\n", bnn_remark_sentence(remarks, i));
    bnn_remarks_free(remarks);
    return s;
}

bnn_status tool_scores_print(const char *rows, const bnn_prediction *p, const bnn_data *data, const bnn_metrics *m) {
    bnn_metrics *each;
    BNN_TRY(bnn_metrics_each(p, data, &each));
    print_rows(rows, p, m);
    if (m->of & BNN_SCORE_MAPS) {
        print_maps(m);
        print_each_map(p, data, each);
    } else if (m->is_class) {
        print_classes(m);
        print_each_class(p, data, each);
    } else {
        if (m->of & BNN_SCORE_TARGET) print_target(m);
        print_coverage(m);
        if (m->of & BNN_SCORE_TARGET)
            printf("  predictive sd    %10.5g epistemic, %.5g aleatoric\n", m->sd_epistemic, m->sd_aleatoric);
        else
            print_targets(p, data, each);
    }
    free(each);
    return print_remarks(m);
}

/* ---------------------------------------------------------------- JSON */

static void add(json_t *o, const char *name, double value) { tool_json_set(o, name, tool_json_number(value)); }

/* Coverage less its level, and its binomial standard error where intervals are right. */
static void set_errors(json_t *o, const bnn_metrics *m) {
    for (int i = 0; i < SHOWN; i++) {
        char name[32];
        double level = bnn_calibration_level(shown[i]);
        snprintf(name, sizeof name, "coverage_%.0f_error", 100 * level);
        add(o, name, m->coverage[shown[i]] - level);
        snprintf(name, sizeof name, "coverage_%.0f_se", 100 * level);
        add(o, name, bnn_coverage_se(level, m->weight));
    }
}

static void set_scores(json_t *o, const bnn_metrics *m) {
    const bnn_score *score;
    for (int i = 0; (score = bnn_score_at(i)); i++)
        if (score->of & m->of) add(o, score->name, bnn_score_value(score, m));
    if (!m->is_class) set_errors(o, m);
    if (m->of & BNN_SCORE_TARGET) tool_json_set(o, "crps_of", json_string(m->crps_gaussian ? "gaussian" : "mixture"));
    if (!(m->of & (BNN_SCORE_CLASSES | BNN_SCORE_MAPS))) return;
    add(o, "nll", -m->ll);
    add(o, "nll_se", m->ll_se);
    tool_json_set(o, "ece_bins", json_integer(BNN_ECE_BINS));
}

json_t *tool_scores_of_one(const char *name, const bnn_metrics *m) {
    json_t *o = json_object();
    tool_json_set(o, "name", tool_json_text(name));
    tool_json_set(o, "n", json_integer(m->n));
    set_scores(o, m);
    return o;
}

static bnn_status set_each(json_t *o, const bnn_prediction *p, const bnn_data *data) {
    bnn_metrics *each;
    BNN_TRY(bnn_metrics_each(p, data, &each));
    json_t *list = json_array();
    for (int k = 0; k < bnn_prediction_width(p); k++) {
        char number[NAME_TEXT];
        tool_json_append(list, tool_scores_of_one(name_of(p, data, k, number), &each[k]));
    }
    free(each);
    tool_json_set(o, p->is_class ? "classes" : "targets", list);
    return BNN_OK;
}

static bnn_status set_remarks(json_t *o, const bnn_metrics *m) {
    bnn_remarks *remarks;
    BNN_TRY(bnn_remarks_new(&remarks));
    json_t *list = json_array();
    bnn_status s = bnn_metrics_remark(m, remarks);
    for (int i = 0; i < bnn_remarks_count(remarks); i++) {
        json_t *one = json_object();
        tool_json_set(one, "code", json_string(bnn_remark_code(remarks, i)));
        tool_json_set(one, "sentence", tool_json_text(bnn_remark_sentence(remarks, i)));
        tool_json_append(list, one);
    }
    tool_json_set(o, "remarks", list);
    bnn_remarks_free(remarks);
    return s;
}

bnn_status tool_scores_set(json_t *o, const char *rows, const bnn_prediction *p, const bnn_data *data, const bnn_metrics *m) {
    tool_json_set(o, "rows", json_string(rows));
    tool_json_set(o, "n", json_integer(m->n));
    set_scores(o, m);
    BNN_TRY(set_each(o, p, data));
    return set_remarks(o, m);
}
