import * as z from 'zod'
import { StatusError } from '../src/errors/public-error.js'
import { jsonFaults } from './json-faults.js'
import { hex, kid } from './keystore.js'

/** As many keys as one token has. */
const MOST_KEYS = 16

/** With it escaped and in UTF-16, and with all keys, the PlayReady Object stays below the 15 KB that it may have. */
const LONGEST_URL = 1024

const key = z.strictObject(
  {
    kid,
    contentKey: hex(32).optional().meta({
      description:
        'For the checksum of a `cenc` header, and for nothing else: 32 hex digits. It is not kept, and no answer has it.',
    }),
  },
  refusal('must be an object with kid and, if you like, contentKey'),
)

const someKeys = `must be a list of 1 to ${MOST_KEYS} keys`
const keys = z
  .array(key, someKeys)
  .min(1, someKeys)
  .max(MOST_KEYS, someKeys)
  .refine(given => new Set(given.map(({ kid }) => kid)).size === given.length, 'must not have the same kid twice')

export const psshRequest = z.strictObject(
  {
    scheme: z
      .enum(['cenc', 'cbcs'], 'must be cenc or cbcs')
      .default('cenc')
      .meta({ description: 'How the content is encrypted.' }),
    keys,
    licenseAcquisitionUrl: licenceUrl('LA_URL of the PlayReady header. Without it, that of a token asked for here.'),
    clearKeyUrl: licenceUrl('Where Clear Key clients ask for the licence. Without it, here.'),
    provider: widevineText('intertrust', 64, 'The provider in the Widevine pssh; ExpressPlay has `intertrust`.'),
    contentId: widevineText('movie-4711', 256, 'The content id in the Widevine pssh, as text.'),
    useHttps: z
      .boolean('must be true or false')
      .optional()
      .meta({ description: 'The scheme of the URLs that are not given; without it that of `PUBLIC_URL`, or http.' }),
  },
  refusal('The body must be a JSON object with keys'),
)

const base64 = z.string().meta({ contentEncoding: 'base64' })

const playreadyData = z.object({
  headerVersion: z.enum(['4.0.0.0', '4.2.0.0', '4.3.0.0']),
  header: z.string().meta({ description: 'The WRMHEADER, which stands in the object as UTF-16LE.' }),
  object: base64.meta({ description: 'The PlayReady Object: `mspr:pro` of a manifest.' }),
  pssh: base64.meta({ description: 'The box around the object: `cenc:pssh` of a manifest, or for the init segment.' }),
})

const boxes = {
  playready: playreadyData,
  clearkey: z.object({ pssh: base64.meta({ description: 'The common box with the KIDs, for the init segment.' }) }),
  widevine: z.object({
    data: base64.meta({ description: 'WidevinePsshData: KIDs, provider, content id, scheme.' }),
    pssh: base64.meta({ description: 'The box around the data: `cenc:pssh` of a manifest, or for the init segment.' }),
  }),
}

const licenceUrls = z.object({
  playready: z.string(),
  widevine: z.string(),
  fairplay: z.string(),
  clearkey: z.string(),
})

export const psshAnswer = z
  .object({
    scheme: z.enum(['cenc', 'cbcs']),
    licenseAcquisitionUrl: z.string(),
    clearKeyUrl: z.string(),
    licenseUrls: licenceUrls.meta({ description: 'Where each DRM asks for licences, without a token.' }),
    keys: z.array(
      z.object({
        kid: z.string().meta({ description: '32 hex digits, in lower case.' }),
        ...boxes,
        contentProtection: z.array(z.string()).meta({
          description: 'The elements for an AdaptationSet of this key: mp4protection, PlayReady, Clear Key, Widevine.',
        }),
        hls: z
          .object({
            key: z.array(z.string()).meta({ description: '`EXT-X-KEY` lines for a media playlist.' }),
            sessionKey: z
              .array(z.string())
              .meta({ description: '`EXT-X-SESSION-KEY` lines for the multivariant playlist.' }),
          })
          .meta({ description: 'Widevine, PlayReady, Clear Key and, for `cbcs`, FairPlay (`skd://<kid>`).' }),
      }),
    ),
    together: z
      .object(boxes)
      .optional()
      .meta({ description: 'Of several keys: all in one header and one box, for a client that asks once.' }),
  })
  .meta({ description: 'What signals the protection of content.' })

export type PsshRequest = z.output<typeof psshRequest>
export type PsshAnswer = z.output<typeof psshAnswer>
/** By the name of a DRM. */
export type LicenceUrls = z.output<typeof licenceUrls>
export type PlayreadyData = z.output<typeof playreadyData>

/** What is asked for, or a refusal that says everything that is wrong with it. No value is repeated: it may be a key. */
export function readPsshRequest(body: unknown): PsshRequest {
  const parsed = psshRequest.safeParse(body)
  if (parsed.success) return parsed.data
  const faults = jsonFaults(parsed.error)
  const described = faults.map(({ place, message }) => (place === '' ? message : `${place} ${message}`))
  throw new StatusError(400, described.join('; '), faults.find(({ field }) => field !== '')?.field)
}

/** `message` if it is no object; an unknown member is reported by its name. */
function refusal(message: string) {
  return { error: ({ code }: { code: string }) => (code === 'invalid_type' ? message : undefined) }
}

function widevineText(example: string, longest: number, description: string) {
  const rule = `must be a text of 1 to ${longest} characters`
  return z
    .string(rule)
    .min(1, rule)
    .max(longest, rule)
    .optional()
    .meta({ description, examples: [example] })
}

function licenceUrl(description: string) {
  const rule = `must be an http or https URL of at most ${LONGEST_URL} characters`
  return z
    .string(rule)
    .transform((text, context) => {
      const url = URL.canParse(text) ? new URL(text) : undefined
      if (url !== undefined && /^https?:$/.test(url.protocol) && url.href.length <= LONGEST_URL) return url.href
      context.addIssue({ code: 'custom', message: rule })
      return z.NEVER
    })
    .optional()
    .meta({ description, examples: ['https://pr.test.expressplay.com/playready/RightsManager.asmx'] })
}
