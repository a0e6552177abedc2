/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/json.h"

#include <bnn/spec_json.h>

#include <jansson.h>
#include <math.h>

/* An object or a list with one more entry; NULL, and nothing is left, where either could not be made. */
static json_t *with(json_t *object, const char *name, json_t *value) {
    if (json_object_set_new(object, name, value) == 0) return object;
    json_decref(object);
    return NULL;
}

static json_t *longer(json_t *list, json_t *value) {
    if (json_array_append_new(list, value) == 0) return list;
    json_decref(list);
    return NULL;
}

static json_t *shape_json(bnn_shape shape) {
    json_t *list = json_array();
    for (int i = 0; i < shape.rank; i++) list = longer(list, json_integer(shape.d[i]));
    return list;
}

/* JSON has no infinity: it becomes the text that the parser takes. */
static json_t *number_json(double x) { return isfinite(x) ? json_real(x) : json_string(x > 0 ? "inf" : "-inf"); }

static json_t *object_json(const bnn_object *object);

static json_t *option_json(const bnn_option *o, const void *conf) {
    const void *at = (const char *)conf + o->offset;
    switch (o->kind) {
    case BNN_OPTION_INT: return json_integer(*(const int *)at);
    case BNN_OPTION_REAL: return number_json(*(const double *)at);
    case BNN_OPTION_CHOICE: return json_string(o->choices[*(const int *)at]);
    case BNN_OPTION_TEXT: return json_string(*(char *const *)at);
    case BNN_OPTION_SHAPE: return shape_json(*(const bnn_shape *)at);
    case BNN_OPTION_SPEC: return ((const bnn_object *)at)->type ? object_json(at) : json_null();
    case BNN_OPTION_GROUP: break;
    }
    return NULL;
}

static json_t *object_json(const bnn_object *object) {
    json_t *options = json_object();
    bnn_option o;
    for (int i = 0; bnn_options_at(object->type->options, i, &o); i++) options = with(options, o.name, option_json(&o, object->conf));
    return json_pack("{s:s, s:o}", "type", object->type->name, "options", options);
}

static json_t *parameters_json(const bnn_plan *plan) {
    json_t *list = json_array();
    for (int k = 0; k < plan->n_params; k++) {
        const bnn_param *p = &plan->param[k];
        json_t *shape = p->rows > 0 ? json_pack("[i, i]", p->rows, p->cols) : json_pack("[i]", p->cols);
        list = longer(list, json_pack("{s:s, s:o}", "name", p->name, "shape", shape));
    }
    return list;
}

static json_t *node_json(const bnn_net *net, const bnn_node *node) {
    json_t *inputs = json_array(), *entry = object_json(&node->layer.object);
    for (int k = 0; k < node->layer.n_in; k++) inputs = longer(inputs, json_string(net->node[node->in[k]].layer.label));
    entry = with(entry, "label", json_string(node->layer.label));
    entry = with(entry, "inputs", inputs);
    entry = with(entry, "shape", shape_json(node->layer.plan.out));
    entry = with(entry, "parameters", parameters_json(&node->layer.plan));
    return entry;
}

char *bnn_spec_json(const bnn_engine *engine) {
    const bnn_model *m = engine->model;
    json_t *network = json_array();
    for (int i = 0; i < m->net->n_nodes; i++) network = longer(network, node_json(m->net, &m->net->node[i]));
    json_t *spec =
        json_pack("{s:o, s:o, s:o, s:i, s:o}", "engine", object_json(&engine->object), "likelihood", object_json(&m->likelihood.object),
                  "prior", object_json(&m->prior.object), "n_parameters", m->n_theta, "network", network);
    char *text = spec ? bnn_json_text(spec, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(spec);
    return text;
}
