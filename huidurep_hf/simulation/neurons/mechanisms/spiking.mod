COMMENT
A spiking membrane with one leak, one sodium and two potassium currents.

Rate equations as published by Traub & Miles (Neuronal Networks of the Hippocampus, 1991), with the threshold VT and the
slow M current as in Pospischil et al., Biol. Cybern. 99, 2008, 427-441. Added here: factors on the speed of the gates
and shifts of their voltage dependence, so that neurons, and places on one neuron, can differ.

Copyright 2026 the huidurep-hf authors. Licensed under the Apache License, Version 2.0.
ENDCOMMENT

NEURON {
    SUFFIX spiking
    NONSPECIFIC_CURRENT i
    RANGE gna, gk, gm, gleak, eleak, vt, shift_h, shift_n, speed_na, speed_k, tau_m_max
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gna = 0.05 (S/cm2)
    gk = 0.005 (S/cm2)
    gm = 0 (S/cm2)
    gleak = 0.00005 (S/cm2)
    eleak = -70 (mV)
    ena = 50 (mV)
    ek = -90 (mV)
    vt = -60 (mV)
    shift_h = 0 (mV)
    shift_n = 0 (mV)
    speed_na = 1
    speed_k = 1
    tau_m_max = 1000 (ms)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    minf
    hinf
    ninf
    pinf
    mtau (ms)
    htau (ms)
    ntau (ms)
    ptau
}

STATE { m h n p }

INITIAL {
    rates(v)
    m = minf
    h = hinf
    n = ninf
    p = pinf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gleak * (v - eleak) + gna * m * m * m * h * (v - ena) + (gk * n * n * n * n + gm * p) * (v - ek)
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m) * speed_na / mtau
    h' = (hinf - h) * speed_na / htau
    n' = (ninf - n) * speed_k / ntau
    p' = (pinf - p) / (tau_m_max * ptau)
}

PROCEDURE rates(v (mV)) {
    sodium_activation(v - vt)
    sodium_inactivation(v - vt - shift_h)
    potassium_activation(v - vt - shift_n)
    slow_activation(v)
}

: The tables are in the distance to the threshold, so that one serves all neurons.

PROCEDURE sodium_activation(u (mV)) {
    LOCAL a, b
    TABLE minf, mtau FROM -150 TO 250 WITH 4000
    a = 0.32 * ratio(13 - u, 4)
    b = 0.28 * ratio(u - 40, 5)
    mtau = 1 / (a + b)
    minf = a / (a + b)
}

PROCEDURE sodium_inactivation(u (mV)) {
    LOCAL a, b
    TABLE hinf, htau FROM -150 TO 250 WITH 4000
    a = 0.128 * exp((17 - u) / 18)
    b = 4 / (1 + exp((40 - u) / 5))
    htau = 1 / (a + b)
    hinf = a / (a + b)
}

PROCEDURE potassium_activation(u (mV)) {
    LOCAL a, b
    TABLE ninf, ntau FROM -150 TO 250 WITH 4000
    a = 0.032 * ratio(15 - u, 5)
    b = 0.5 * exp((10 - u) / 40)
    ntau = 1 / (a + b)
    ninf = a / (a + b)
}

PROCEDURE slow_activation(v (mV)) {
    TABLE pinf, ptau FROM -150 TO 150 WITH 3000
    pinf = 1 / (1 + exp(-(v + 35) / 10))
    ptau = 1 / (3.3 * exp((v + 35) / 20) + exp(-(v + 35) / 20))
}

FUNCTION ratio(x, y) {
    : x / (exp(x / y) - 1), continuous at 0
    if (fabs(x / y) < 1e-6) {
        ratio = y * (1 - x / y / 2)
    } else {
        ratio = x / (exp(x / y) - 1)
    }
}
