import { ClockControl, type ClockControlParts } from './clock-control.js'

/** What only an emulator has: the parts that a tester controls, or asks. */
export class Emulator {
  readonly clock: ClockControl

  constructor(parts: EmulatorParts) {
    this.clock = new ClockControl(parts)
  }
}

export interface EmulatorParts extends ClockControlParts {}
