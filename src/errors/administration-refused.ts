/** What an administrator asked for and can't have; its text names fields and rules, and repeats no value. */
export class AdministrationRefused extends Error {
  /** As HTTP has it: 400 for what is wrong in itself, 404 for an unknown account, 409 for what is taken. */
  readonly status: number
  readonly parameter: string | undefined

  constructor(status: number, message: string, parameter?: string) {
    super(message)
    this.name = 'AdministrationRefused'
    this.status = status
    this.parameter = parameter
  }
}
