/** What only an emulator has: the parts that a tester controls, or asks. */
export class Emulator {}
