/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/net.h>

#include <bnn/file.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- building */

/* A label of the text and the node that has it. */
typedef struct {
    const char *label;
    int node;
} named;

/* The text and its surroundings that the nodes are made from. */
typedef struct {
    const bnn_netspec *spec;
    const bnn_net_env *env;
    named *name; /* [n_names] sorted by label */
    size_t n_names;
} plan;

static int by_label(const void *a, const void *b) { return strcmp(((const named *)a)->label, ((const named *)b)->label); }

static const named *find_name(const plan *p, const char *label) {
    return bsearch(&(named){.label = label}, p->name, p->n_names, sizeof *p->name, by_label);
}

/* Files put each node's parameters under its label, and those of the likelihood and the prior beside them. */
static bnn_status check_label(const char *label) {
    enum { LONGEST = 64 };
    if (strcmp(label, "likelihood") == 0 || strcmp(label, "prior") == 0)
        return bnn_fail(BNN_ERR_NAME, "label '%s' is taken: files have the parameters of the %s under it", label, label);
    if (strlen(label) > LONGEST)
        return bnn_fail(BNN_ERR_NAME, "label '%.10s...' has %zu letters, at most %d are allowed", label, strlen(label), LONGEST);
    return BNN_OK;
}

/* Nodes before the first statement, those that the text leaves out, shift the numbers of the others. */
static bnn_status collect_names(plan *p, int before) {
    p->name = calloc((size_t)p->spec->n, sizeof *p->name);
    if (!p->name) return bnn_oom("the labels of a network");
    for (int i = 0; i < p->spec->n; i++) {
        if (!p->spec->s[i].label) continue;
        BNN_TRY(check_label(p->spec->s[i].label));
        p->name[p->n_names++] = (named){.label = p->spec->s[i].label, .node = i + before};
    }
    qsort(p->name, p->n_names, sizeof *p->name, by_label);
    for (size_t i = 1; i < p->n_names; i++)
        if (by_label(&p->name[i - 1], &p->name[i]) == 0)
            return bnn_fail(BNN_ERR_NAME, "label '%s' is given twice in the network", p->name[i].label);
    return BNN_OK;
}

/* The number in the last label that was made up for this type; 0: there is none. */
static int last_number(const bnn_net *net, const char *type) {
    for (int i = net->n_nodes - 1; i >= 0; i--)
        if (!net->node[i].named && strcmp(net->node[i].layer.object.type->name, type) == 0)
            return atoi(strrchr(net->node[i].layer.label, '_') + 1);
    return 0;
}

/* "dense_2": the statement's own label, or its type and the first number that is free in the whole text. Owned by the node. */
static char *node_label(const bnn_net *net, const plan *p, const bnn_statement *s) {
    char *label = NULL;
    if (s->label) return strdup(s->label);
    for (int k = last_number(net, s->type) + 1;; k++) {
        if (asprintf(&label, "%s_%d", s->type, k) < 0) return NULL;
        if (!find_name(p, label)) return label;
        free(label);
    }
}

/* The earlier node that a statement means by a label. Made-up labels do not count: engines that adapt the text move them. */
static int find_named(const bnn_net *net, const plan *p, const char *label) {
    const named *name = find_name(p, label);
    return name && name->node < net->n_nodes ? name->node : -1;
}

static bnn_status connect(const bnn_net *net, const plan *p, const bnn_statement *s, bnn_node *node) {
    bnn_layer *l = &node->layer;
    bool source = strcmp(s->type, "input") == 0;
    l->n_in = s->n_in > 0 ? s->n_in : source ? 0 : 1;
    node->in = calloc((size_t)l->n_in + 1, sizeof *node->in);
    bnn_shape *shapes = calloc((size_t)l->n_in + 1, sizeof *shapes);
    l->in = shapes;
    if (!node->in || !shapes) return bnn_oom("a node");
    for (int k = 0; k < l->n_in; k++) {
        node->in[k] = s->n_in ? find_named(net, p, s->in[k]) : net->n_nodes - 1;
        if (node->in[k] < 0) return bnn_fail(BNN_ERR_NAME, "input '%s' is not the label of an earlier statement", s->in[k]);
        shapes[k] = net->node[node->in[k]].layer.plan.out;
    }
    return BNN_OK;
}

static bnn_status check_inputs(const bnn_layer *l) {
    const bnn_layer_type *type = bnn_layer_vtable(l);
    if (l->n_in >= type->min_in && l->n_in <= type->max_in) return BNN_OK;
    if (type->min_in == type->max_in)
        return bnn_fail(BNN_ERR_SHAPE, "takes %d input%s, not %d", type->min_in, type->min_in == 1 ? "" : "s", l->n_in);
    return bnn_fail(BNN_ERR_SHAPE, "takes from %d to %d inputs, not %d", type->min_in, type->max_in, l->n_in);
}

/* Adds up the parameter blocks and refuses sizes that an int cannot count. */
static bnn_status measure(bnn_net *net, bnn_node *node) {
    bnn_layer *l = &node->layer;
    double total = 0, out = 1;
    for (int b = 0; b < l->plan.n_params; b++)
        total += (double)(l->plan.param[b].rows > 0 ? l->plan.param[b].rows : 1) * l->plan.param[b].cols;
    for (int k = 0; k < l->plan.out.rank; k++) out *= l->plan.out.d[k];
    if (total + net->n_theta > INT_MAX / 2 || out > INT_MAX / 4)
        return bnn_fail(BNN_ERR_MEMORY, "has more than 2^30 parameters or units: use a smaller network");
    l->n_theta = (int)total;
    if (bnn_layer_vtable(l)->keep && l->n_theta > BNN_MAX_GATE_THETA)
        return bnn_fail(BNN_ERR_SHAPE, "is a gate with %d parameters: at most %d are allowed", l->n_theta, BNN_MAX_GATE_THETA);
    node->theta = (size_t)net->n_theta;
    node->first_block = net->n_blocks;
    net->n_blocks += l->plan.n_params;
    net->n_theta += l->n_theta;
    net->flops_row += l->plan.flops_row;
    net->flops_pass += l->plan.flops_pass;
    net->back_flops_row += l->plan.back_flops_row;
    net->back_flops_pass += l->plan.back_flops_pass;
    return BNN_OK;
}

static bool has_weights(const bnn_layer *l) {
    for (int b = 0; b < l->plan.n_params; b++)
        if (l->plan.param[b].role == BNN_WEIGHT) return true;
    return false;
}

/* The gate whose units the weights of this layer read, looking through changes of shape; -1: none. */
static int find_gate(const bnn_net *net, const bnn_node *node) {
    if (!has_weights(&node->layer) || node->layer.n_in != 1) return -1;
    int k = node->in[0];
    while (net->node[k].layer.object.type->caps & BNN_RESHAPE) k = net->node[k].in[0];
    return bnn_layer_vtable(&net->node[k].layer)->keep ? k : -1;
}

static bnn_status bind_node(bnn_net *net, const plan *p, const bnn_statement *s, bnn_node *node, bool last) {
    bnn_layer *l = &node->layer;
    const bnn_type *type;
    BNN_TRY(bnn_type_find(BNN_LAYER, s->type, &type));
    void *conf = calloc(1, type->conf_size ? type->conf_size : 1);
    if (!conf) return bnn_oom("a node");
    bnn_status status = bnn_options_parse(type->options, s->options, conf);
    if (status < 0) {
        free(conf);
        return status;
    }
    l->object = (bnn_object){.type = type, .conf = conf};
    l->prior = p->env->prior;
    l->out_hint = last && p->env->out.rank > 0 ? p->env->out.d[0] : 0;
    BNN_TRY(connect(net, p, s, node));
    BNN_TRY(check_inputs(l));
    if (l->n_in == 0) l->plan.out = p->env->x_shape; /* what the data say; bind compares it with what the text says */
    BNN_TRY(bnn_layer_vtable(l)->bind(l));
    BNN_TRY(measure(net, node));
    node->gate = find_gate(net, node);
    node->needs_grad = l->n_theta > 0;
    for (int k = 0; k < l->n_in; k++) node->needs_grad |= net->node[node->in[k]].needs_grad;
    return BNN_OK;
}

static bnn_status add_node(bnn_net *net, const plan *p, const bnn_statement *s, bool last) {
    bnn_node *node = &net->node[net->n_nodes];
    char *label = node_label(net, p, s);
    if (!label) return bnn_oom("a node");
    node->layer.label = label;
    node->named = s->label != NULL;
    bnn_status status = bind_node(net, p, s, node, last);
    net->n_nodes++; /* now bnn_net_free knows of it */
    return status < 0 ? bnn_note(status, "node '%s' (%s)", label, s->type) : BNN_OK;
}

static void find_readers(bnn_net *net) {
    for (int i = 0; i < net->n_nodes; i++) {
        net->node[i].only_reader = net->node[i].last_reader = -1;
        for (int j = 0; j < net->node[i].layer.n_in; j++) {
            bnn_node *source = &net->node[net->node[i].in[j]];
            source->only_reader = source->last_reader < 0 ? i : -1;
            source->last_reader = i;
        }
    }
}

static bnn_status check_ends(const bnn_net *net, const bnn_net_env *env) {
    char shape[BNN_SHAPE_TEXT], needed[BNN_SHAPE_TEXT];
    for (int i = 0; i + 1 < net->n_nodes; i++)
        if (net->node[i].last_reader < 0)
            return bnn_fail(BNN_ERR_SYNTAX, "node '%s' leads nowhere: no later statement reads it", net->node[i].layer.label);
    bnn_shape out = net->node[net->n_nodes - 1].layer.plan.out;
    if (env->out.rank == 0 || bnn_shape_equal(out, env->out)) return BNN_OK;
    return bnn_fail(BNN_ERR_SHAPE, "the network ends with shape %s, but the likelihood needs %s%s", bnn_shape_print(out, shape),
                    bnn_shape_print(env->out, needed),
                    env->out.rank == 1 ? ": end with 'dense', without a number, to get what is needed" : "");
}

static bnn_status add_nodes(bnn_net *net, plan *p) {
    static char input[] = "input", nothing[] = "";
    const bnn_netspec *spec = p->spec;
    bool given = strcmp(spec->s[0].type, input) == 0;
    net->node = calloc((size_t)spec->n + 1, sizeof *net->node);
    if (!net->node) return bnn_oom("a network of %d nodes", spec->n);
    BNN_TRY(collect_names(p, given ? 0 : 1));
    if (!given) BNN_TRY(add_node(net, p, &(bnn_statement){.type = input, .options = nothing}, false));
    for (int i = 0; i < spec->n; i++) {
        if (i > 0 && strcmp(spec->s[i].type, input) == 0)
            return bnn_fail(BNN_ERR_SYNTAX, "'input' must be the first statement of the network");
        BNN_TRY(add_node(net, p, &spec->s[i], i == spec->n - 1));
    }
    return BNN_OK;
}

/* Says whether a layer gates each number of an image on its own, with a probability that is learned. */
static bool gates_pixels(const bnn_layer *l) {
    const bnn_param *drawn = l->plan.n_drawn == 1 ? &l->plan.drawn[0] : NULL;
    bool learns = bnn_layer_vtable(l)->keep && l->n_theta > 0 && l->in[0].rank == 3;
    return learns && drawn && strcmp(drawn->name, "gate") == 0 && bnn_param_size(drawn) > l->in[0].d[0];
}

static bnn_status refuse_gate(const bnn_layer *l, const bnn_layer *gate) {
    bnn_status s = bnn_fail(BNN_ERR_SHAPE,
                            "reads node '%s' (%s), which learns p by the entropy of a gate for each of the %d numbers of an image, where a "
                            "convolution needs one for each of the %d channels: put 'spatial_concrete_dropout' in its place",
                            gate->label, gate->object.type->name, bnn_layer_size_in(gate), gate->in[0].d[0]);
    return bnn_note(s, "node '%s' (%s)", l->label, l->object.type->name);
}

/* The entropy of a gate is weighed against the weights that read it. A kernel reads every pixel of a channel with the same weights, so with
 * gates of their own for pixels the entropy would count H W times too much, and p go to 1/2 (Gal, Hron & Kendall 2017, section 4.4). */
static bnn_status check_gates(const bnn_net *net) {
    const bnn_layer **gate = calloc((size_t)net->n_nodes, sizeof *gate); /* that reaches a node, with no weights on its way */
    bnn_status s = gate ? BNN_OK : bnn_oom("a network of %d nodes", net->n_nodes);
    for (int i = 0; i < net->n_nodes && s == BNN_OK; i++) {
        const bnn_layer *l = &net->node[i].layer;
        for (int k = 0; k < l->n_in && !gate[i]; k++) gate[i] = gate[net->node[i].in[k]];
        if (gate[i] && l->object.type->caps & BNN_CONV) s = refuse_gate(l, gate[i]);
        if (has_weights(l)) gate[i] = NULL;
        if (gates_pixels(l)) gate[i] = l;
    }
    free(gate);
    return s;
}

static bnn_status build(bnn_net *net, const bnn_netspec *spec, const bnn_net_env *env) {
    plan p = {.spec = spec, .env = env};
    bnn_status s = add_nodes(net, &p);
    free(p.name);
    BNN_TRY(s);
    net->first_stochastic = net->n_nodes;
    for (int i = net->n_nodes - 1; i >= 0; i--)
        if (net->node[i].layer.object.type->caps & BNN_STOCHASTIC && !net->node[i].layer.plan.quiet) net->first_stochastic = i;
    find_readers(net);
    BNN_TRY(check_gates(net));
    return check_ends(net, env);
}

bnn_status bnn_net_new(const char *text, const bnn_net_env *env, bnn_net **out) {
    bnn_netspec spec;
    BNN_TRY(bnn_netspec_parse(text, &spec));
    bnn_net *net = calloc(1, sizeof *net);
    bnn_status s = net ? build(net, &spec, env) : bnn_oom("a network");
    bnn_netspec_free(&spec);
    if (s < 0)
        bnn_net_free(net);
    else
        *out = net;
    return s;
}

static void close_layer(bnn_layer *l) {
    if (l->object.type && bnn_layer_vtable(l)->close) bnn_layer_vtable(l)->close(l);
}

void bnn_net_free(bnn_net *net) {
    if (!net) return;
    for (int i = 0; i < net->n_nodes; i++) {
        bnn_node *node = &net->node[i];
        close_layer(&node->layer);
        bnn_object_free(&node->layer.object);
        free((char *)node->layer.label);
        free((bnn_shape *)node->layer.in);
        free(node->in);
    }
    free(net->node);
    free(net);
}

static bool print_node(FILE *out, const bnn_net *net, int i) {
    const bnn_node *node = &net->node[i];
    char *text = bnn_object_print(&node->layer.object, false);
    if (!text) return false;
    if (i > 0) fputs("; ", out);
    if (node->named) fprintf(out, "%s = ", node->layer.label);
    fputs(text, out);
    free(text);
    bool plain = node->layer.n_in == 0 || (node->layer.n_in == 1 && node->in[0] == i - 1);
    for (int k = 0; !plain && k < node->layer.n_in; k++) fprintf(out, "%s%s", k ? ", " : "(", net->node[node->in[k]].layer.label);
    if (!plain) fputc(')', out);
    return true;
}

char *bnn_net_print(const bnn_net *net) {
    char *text = NULL;
    FILE *out = bnn_text_open(&text, NULL);
    if (!out) return NULL;
    bool ok = true;
    for (int i = 0; i < net->n_nodes && ok; i++) ok = print_node(out, net, i);
    if (bnn_text_close(out, &text) && ok) return text;
    free(text);
    return NULL;
}

int bnn_net_gates(const bnn_net *net) {
    int n = 0;
    for (int i = 0; i < net->n_nodes; i++) n += bnn_layer_vtable(&net->node[i].layer)->keep != NULL;
    return n;
}

/* He et al. 2015, eq. 10: Var w = 2/fan_in for weights; biases and all else 0. */
static void init_default(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    for (int b = 0; b < l->plan.n_params; b++) {
        const bnn_param *p = &l->plan.param[b];
        int n = bnn_param_size(p);
        if (p->role == BNN_WEIGHT) {
            bnn_rng_normal(rng, (uint64_t)b, 1, n, theta);
            for (int i = 0; i < n; i++) theta[i] *= (bnn_real)sqrt(2.0 / p->fan_in);
        } else {
            memset(theta, 0, (size_t)n * sizeof *theta);
        }
        theta += n;
    }
}

void bnn_net_init(const bnn_net *net, bnn_rng rng, bnn_real *theta) {
    for (int i = 0; i < net->n_nodes; i++) {
        const bnn_layer *l = &net->node[i].layer;
        const bnn_layer_type *type = bnn_layer_vtable(l);
        (type->init ? type->init : init_default)(l, bnn_rng_split(rng, (uint64_t)i), theta + net->node[i].theta);
    }
}
