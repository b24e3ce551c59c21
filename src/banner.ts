import { demoAccount } from './accounts/seeds.js'
import { sampleParameters } from './sample.js'

/** What a first start shows: where it listens, who may ask, and a command that works when pasted. */
export function banner(url: string): string {
  const { test, production } = demoAccount.authenticators
  return `
  ExpressPlay token backend, emulating, on ${url}

    demo authenticator, test         ${test}
    demo authenticator, production   ${production}
    documentation                    ${url}/docs

  Get a token:

    ${sampleCurl(url)}

`
}

/** The published sample request as a command. */
function sampleCurl(url: string): string {
  const query = Object.entries(sampleParameters).map(([name, value]) => `${name}=${value}`)
  return `curl '${url}/hms/pr/token?${query.join('&')}'`
}
