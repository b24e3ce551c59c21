import { createHmac } from 'node:crypto'

export const SIGNATURE_HEADER = 'x-entitlement-signature'

/** Says when a question was asked, and that somebody asked it who knows the secret: `t=1780315200,v1=5257a8…`. */
export function signatureOf(body: string, secret: string, now: number): string {
  const seconds = Math.floor(now / 1000)
  const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return `t=${seconds},v1=${signature}`
}
