const MOMENT = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?=Z|[+-]\d\d:\d\d)/g

/** A text whose RFC 3339 moments are moved by so many milliseconds, each in its own spelling. */
export function moved(text: string, milliseconds: number): string {
  return text.replace(MOMENT, (moment: string, seconds: string, fraction: string | undefined) => {
    const thousandths = Number((fraction ?? '').padEnd(3, '0').slice(0, 3))
    const target = new Date(Date.parse(`${seconds}Z`) + thousandths + milliseconds)
    if (Number.isNaN(target.getTime()) || target.getUTCFullYear() > 9999) return moment
    const [whole = '', rest = ''] = target.toISOString().replace('Z', '').split('.')
    return fraction === undefined ? whole : `${whole}.${rest.padEnd(fraction.length, '0').slice(0, fraction.length)}`
  })
}
