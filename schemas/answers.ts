import * as z from 'zod'
import { playerConfig } from './player-config.js'

/** The answers of a token request (spec: playready-token.md, responses). */
export const tokenAnswer = z
  .object({
    licenseAcquisitionUrl: z.string().meta({
      description: 'Where the player sends its licence request, together with the token.',
      examples: ['https://pr.test.expressplay.com/playready/RightsManager.asmx'],
    }),
    token: z.string().meta({ description: 'Opaque; base64url without padding.', examples: ['CAADE_sAAAAAJDdh…'] }),
    playerConfig: playerConfig.optional(),
  })
  .meta({ description: 'An issued token.' })

export const errorAnswer = z
  .object({
    code: z.int().meta({ description: 'The documented code, or the status where HTTP itself refuses.' }),
    message: z.string().meta({
      description: 'The code in square brackets, then the text.',
      examples: ['[-2018] Authentication token invalid: it must be a customer id, a comma and 32 hexadecimal digits'],
    }),
    parameter: z.string().optional().meta({ description: 'The parameter at fault.' }),
    requestId: z.string().meta({ description: 'Also in the header `x-request-id`, and in the log.' }),
  })
  .meta({ description: 'An error, as JSON.' })

/** The message of an error answer: the code in square brackets before the text, as the real service writes it. */
export function messageWithCode(code: number, text: string): string {
  return `[${code}] ${text}`
}

/** The text of such a message, without the code. */
export function textOfMessage(message: string): string {
  return message.replace(/^\[-?\d{1,10}\] ?/, '')
}

export type TokenAnswer = z.output<typeof tokenAnswer>
export type ErrorAnswer = z.output<typeof errorAnswer>
