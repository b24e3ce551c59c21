import { clearKey } from '../../src/drm/clear-key.js'
import { clearKeyBody, KID, playreadyBody } from '../redeeming.js'
import { tokenIn } from './service.js'

/** What a player got for a token URL: its keys by KID, or the code of the refusal. */
export interface Licence {
  readonly status: number
  readonly kids: readonly string[]
  readonly code: number | undefined
  readonly body: string
}

export interface Player {
  readonly deviceId?: string
  readonly kid?: string
}

/** Redeems it where it says, as a PlayReady client does. */
export async function playPlayready({ epTokenURL }: { epTokenURL: string }, player: Player = {}): Promise<Licence> {
  const { kid = KID } = player
  const answer = await fetch(epTokenURL, {
    method: 'POST',
    headers: { 'content-type': 'text/xml; charset=utf-8', ...device(player) },
    body: playreadyBody(`<KID>${playreadyKid(kid)}</KID>`),
  })
  const body = await answer.text()
  const kids = [...body.matchAll(/<Licence kid="(\w+)"/g)].map(([, granted = '']) => granted)
  const [, code] = /"code":(-?\d+)/.exec(body) ?? []
  return { status: answer.status, kids, code: code === undefined ? undefined : Number(code), body }
}

/** Takes the token of that URL to the Clear Key endpoint beside it. */
export async function playClearKey({ epTokenURL }: { epTokenURL: string }, player: Player = {}): Promise<Licence> {
  const { kid = KID } = player
  const url = `${new URL(epTokenURL).origin}${clearKey.path}?ExpressPlayToken=${tokenIn({ epTokenURL })}`
  const answer = await fetch(url, { method: 'POST', headers: device(player), body: clearKeyBody(kid) })
  const body = await answer.text()
  const { keys = [], code } = JSON.parse(body) as { keys?: { kid: string }[]; code?: number } // the documented answers
  const kids = keys.map(key => Buffer.from(key.kid, 'base64url').toString('hex'))
  return { status: answer.status, kids, code, body }
}

function device({ deviceId }: Player): Record<string, string> {
  return deviceId === undefined ? {} : { 'x-device-id': deviceId }
}

/** A GUID's first three parts are the other way round there. */
function playreadyKid(kid: string): string {
  const bytes = Buffer.from(kid, 'hex')
  const parts = [bytes.subarray(0, 4), bytes.subarray(4, 6), bytes.subarray(6, 8)].map(part =>
    Buffer.from(part).reverse(),
  )
  return Buffer.concat([...parts, bytes.subarray(8)]).toString('base64')
}
