import type { Logger } from 'pino'
import type { Now } from '../../schemas/rules.js'
import type { Content } from './content.js'
import type { WebhookSettings } from './settings.js'
import type { Judge, ViewerQuestion } from './viewer-question.js'

export interface WebhookParts {
  readonly settings: WebhookSettings
  readonly now: Now
  readonly uptime: () => number
  readonly logger: Logger
}

/** Asks the customer's own endpoint. */
export class Webhook implements Judge {
  constructor(_parts: WebhookParts) {}

  async allow(_question: ViewerQuestion): Promise<Content | undefined> {
    return undefined
  }

  async close(): Promise<void> {}
}
