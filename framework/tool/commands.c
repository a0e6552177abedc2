/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool.h"

extern const command command_import, command_import_weights, command_split, command_info, command_list, command_show, command_fit,
    command_predict, command_evaluate, command_calibrate, command_ood, command_attack, command_shift, command_acquire, command_bandit,
    command_diagnose, command_compare, command_report, command_merge, command_diff, command_bench, command_sbc, command_check, command_new_layer,
    command_new_engine, command_man, command_complete;

const command *const commands[] = {
    &command_import,
    &command_split,
    &command_info,
    &command_list,
    &command_show,
    &command_fit,
    &command_import_weights,
    &command_predict,
    &command_evaluate,
    &command_calibrate,
    &command_ood,
    &command_attack,
    &command_shift,
    &command_acquire,
    &command_bandit,
    &command_diagnose,
    &command_compare,
    &command_report,
    &command_merge,
    &command_diff,
    &command_bench,
    &command_sbc,
    &command_check,
    &command_new_layer,
    &command_new_engine,
    &command_man,
    &command_complete,
    NULL,
};
