import type { ErrorAnswer } from '../../schemas/answers.js'
import type { StandInLicence } from '../../schemas/licences.js'
import { xmlText } from '../pssh/xml-text.js'

/** What SOAP 1.1 answers with; players look at the charset. */
export const SOAP_TYPE = 'text/xml; charset=utf-8'
/** SOAP 1.1 over HTTP has one status for all faults. */
export const FAULT_STATUS = 500

/** DRM_E_SERVICE_SPECIFIC: the client hands the custom data on to the application. */
const SERVICE_SPECIFIC = '0x8004C604'
const PROTOCOLS = 'http://schemas.microsoft.com/DRM/2007/03/protocols'

/** The fault that PlayReady clients understand, with the documented error in it. */
export function faultOf(error: ErrorAnswer): string {
  const exception = element('StatusCode', SERVICE_SPECIFIC) + element('CustomData', xmlText(JSON.stringify(error)))
  return envelope(
    `<soap:Fault><faultcode>soap:Server</faultcode>${element('faultstring', xmlText(error.message))}` +
      `${element('detail', element('Exception', exception))}</soap:Fault>`,
  )
}

/**
 * A well-formed answer without a licence in it: only Microsoft's keys can sign one. What would be granted is
 * next to the empty list, in a namespace that devices ignore.
 */
export function standInResponse({ note, tokenId, expiresAt, licences }: StandInLicence): string {
  const granted = licences.map(
    ({ kid, algId, policy }) => `<Licence kid="${kid}" algId="${algId}">${elements(policy)}</Licence>`,
  )
  return envelope(
    `<AcquireLicenseResponse xmlns="${PROTOCOLS}"><AcquireLicenseResult><Response xmlns="${PROTOCOLS}/messages">` +
      `<LicenseResponse xmlns="${PROTOCOLS}"><Version>1</Version><Licenses></Licenses>` +
      `<EmulatedLicence xmlns="urn:expressplay-token-backend:emulated" playable="false">` +
      `${elements({ Note: note, TokenId: tokenId, ExpiresAt: expiresAt })}${granted.join('')}</EmulatedLicence>` +
      `</LicenseResponse></Response></AcquireLicenseResult></AcquireLicenseResponse>`,
  )
}

function envelope(body: string): string {
  return (
    '<?xml version="1.0" encoding="utf-8"?>\n' +
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">' +
    `<soap:Body>${body}</soap:Body></soap:Envelope>\n`
  )
}

function elements(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values)
    .map(([name, value]) => element(name, xmlText(String(value))))
    .join('')
}

function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`
}
