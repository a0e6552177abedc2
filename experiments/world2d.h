/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * world2d.h: the 2-D world of Karpathy's deep Q-learning (ConvNetJS, rldemo), that of Gal & Ghahramani 2016. An agent on two wheels sees
 * walls, apples and poison within 85 units with nine eyes; apples bring 5, poison -6; it is paid for an open view, and more for going
 * ahead in one. The nearest point of a thing to the line of sight is where it is seen, as there.
 */
#ifndef WORLD2D_H
#define WORLD2D_H

#include <math.h>
#include <stdbool.h>

enum { EYES = 9, STATE = 3 * EYES, ACTIONS = 5, ITEMS = 30, WALLS = 10, WORLD_NUMBERS = 4 + ITEMS };
static const double world_width = 700, world_height = 500, sight = 85, radius = 10;
static const double wall[WALLS][4] = {{10, 10, 690, 10},    {690, 10, 690, 490},  {690, 490, 10, 490},  {10, 490, 10, 10},
                                      {100, 100, 300, 100}, {300, 100, 300, 400}, {300, 400, 100, 400}, {400, 100, 600, 100},
                                      {600, 100, 600, 400}, {600, 400, 400, 400}};
static const double wheels[ACTIONS][2] = {{1, 1}, {0.8, 1}, {1, 0.8}, {0.5, 0}, {0, 0.5}};

typedef struct {
    double x, y, angle, proximity; /* of the agent; what it sees of walls: 1 is none */
    struct {
        double x, y;
        int type, age; /* 1: apple, 2: poison; steps */
    } item[ITEMS];
    int items, clock;
} world;

/* Puts an item somewhere, by three uniform numbers. */
static void world_grow(world *w, const double u[3]) {
    w->item[w->items].x = 20 + u[0] * (world_width - 40), w->item[w->items].y = 20 + u[1] * (world_height - 40);
    w->item[w->items].type = 1 + (u[2] < 0.5), w->item[w->items++].age = 0;
}

/* Share of the way from (x, y) by (dx, dy) that is free of walls: 2 where there is none on it. */
static double free_of_walls(double x, double y, double dx, double dy) {
    double least = 2;
    for (int i = 0; i < WALLS; i++) {
        double ex = wall[i][2] - wall[i][0], ey = wall[i][3] - wall[i][1], rx = wall[i][0] - x, ry = wall[i][1] - y,
               det = dx * ey - dy * ex;
        double along = (rx * ey - ry * ex) / det, on = (rx * dy - ry * dx) / det;
        if (det != 0 && along > 0 && along < 1 && on > 0 && on < 1) least = fmin(least, along);
    }
    return least;
}

/* state[STATE]: what each eye sees of walls, apples and poison: the share of its sight until the nearest thing, 1 of all else. */
static void world_look(world *w, double state[STATE]) {
    double sum = 0;
    for (int e = 0; e < EYES; e++) {
        double a = w->angle + 0.25 * (e - 3), dx = sight * sin(a), dy = sight * cos(a), least = free_of_walls(w->x, w->y, dx, dy);
        int type = least < 2 ? 0 : -1;
        for (int i = 0; i < w->items; i++) {
            double rx = w->item[i].x - w->x, ry = w->item[i].y - w->y, along = (rx * dx + ry * dy) / (sight * sight);
            if (fabs(rx * dy - ry * dx) <= radius * sight && along > 0 && along < fmin(least, 1)) least = along, type = w->item[i].type;
        }
        for (int k = 0; k < 3; k++) state[3 * e + k] = k == type ? least : 1;
        sum += type == 0 ? least : 1;
    }
    w->proximity = fmin(1, 2 * sum / EYES);
}

/* Moves the agent and its world; returns the reward. u[WORLD_NUMBERS]: uniform ones. */
static double world_act(world *w, int action, const double *u) {
    double b = w->angle + M_PI / 2, l = wheels[action][0], r = wheels[action][1], reward = w->proximity;
    double dx = radius / 4 * (sin(b - l) - sin(b + r)), dy = radius / 4 * (cos(b - l) - cos(b + r));
    int kept = 0;
    if (action == 0 && w->proximity > 0.75) reward += 0.1 * w->proximity;
    if (free_of_walls(w->x, w->y, dx, dy) > 1) w->x += dx, w->y += dy;
    w->angle = fmod(w->angle + r - l, 2 * M_PI);
    w->clock++;
    for (int i = 0; i < w->items; i++) {
        double rx = w->item[i].x - w->x, ry = w->item[i].y - w->y;
        bool eaten = hypot(rx, ry) < 2 * radius && free_of_walls(w->x, w->y, rx, ry) > 1;
        if (eaten) reward += w->item[i].type == 1 ? 5 : -6;
        bool stale = ++w->item[i].age > 5000 && w->clock % 100 == 0 && u[4 + i] < 0.1;
        if (!eaten && !stale) w->item[kept++] = w->item[i];
    }
    w->items = kept;
    if (w->items < ITEMS && w->clock % 10 == 0 && u[0] < 0.25) world_grow(w, u + 1);
    return reward;
}

#endif
