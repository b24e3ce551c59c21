import { z } from 'zod'
import { playerConfig } from './player-config.js'

/** The answers of a token request (spec: playready-token.md, responses). */
export const tokenAnswer = z
  .object({
    licenseAcquisitionUrl: z.string().meta({
      description: 'Where the player sends its licence request, together with the token.',
      examples: ['https://pr.test.expressplay.com/playready/RightsManager.asmx'],
    }),
    token: z.string().meta({ description: 'Opaque; base64url without padding.', examples: ['AQADE_sAAAAAAAB0…'] }),
    playerConfig: playerConfig.optional(),
  })
  .meta({ description: 'An issued token.' })

export const errorAnswer = z
  .object({
    errorCode: z.int().meta({ description: 'The documented code, or the status where HTTP itself refuses.' }),
    errorMessage: z.string(),
    parameter: z.string().optional().meta({ description: 'The parameter at fault.' }),
    requestId: z.string().meta({ description: 'Also in the header `x-request-id`, and in the log.' }),
  })
  .meta({ description: 'An error, as JSON.' })

export type TokenAnswer = z.output<typeof tokenAnswer>
export type ErrorAnswer = z.output<typeof errorAnswer>
