/* How a long call lets the Python that waits for it handle signals: see ctc_shim_python. */
#ifndef CTC_SHIM_PULSE_H
#define CTC_SHIM_PULSE_H
#include "../ctc_shim.h"
#include "base.h"

/* Of a call. */
typedef struct {
    const ctc_shim_python *python; /* null: nobody asks */
    void *state;                   /* of the Python thread, while the GIL is released */
    int64_t stop;                  /* 1: a handler raised, so all threads end */
} ctc_shim_pulse;

/* Of a thread. The one that made the call asks for signals; the others only look at `stop`. */
typedef struct {
    ctc_shim_pulse *pulse;
    int64_t asks;
    double work; /* since it asked last, in lattice cells and scores */
} ctc_shim_beat;

CTC_SHIM_LOCAL ctc_shim_pulse ctc_shim_pulse_of(const void *python) {
    ctc_shim_pulse pulse;
    pulse.python = (const ctc_shim_python *)python;
    pulse.state = NULL;
    pulse.stop = 0;
    return pulse;
}

CTC_SHIM_LOCAL void ctc_shim_release(ctc_shim_pulse *pulse) {
    if (pulse->python) pulse->state = ((void *(*)(void))pulse->python->save)();
}

CTC_SHIM_LOCAL void ctc_shim_regain(ctc_shim_pulse *pulse) {
    if (pulse->python) ((void (*)(void *))pulse->python->restore)(pulse->state);
}

/* Runs the handlers of the signals that came, if any. */
CTC_SHIM_LOCAL void ctc_shim_ask(ctc_shim_pulse *pulse) {
    if (!pulse->python || pulse->stop) return; /* no handler may run with an exception set */
    ctc_shim_regain(pulse);
    if (((int (*)(void))pulse->python->check)())
        __atomic_store_n(&pulse->stop, 1, __ATOMIC_RELAXED);
    ctc_shim_release(pulse);
}

/* Must the thread end? It has done so much `work` since it was asked last. */
CTC_SHIM_LOCAL int ctc_shim_stops(ctc_shim_beat *beat, double work) {
    beat->work += work;
    if (beat->asks && beat->work > CTC_SHIM_BEAT_WORK) {
        ctc_shim_ask(beat->pulse);
        beat->work = 0;
    }
    return __atomic_load_n(&beat->pulse->stop, __ATOMIC_RELAXED) != 0;
}
#endif
