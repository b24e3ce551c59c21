import type { AccountSeed } from '../schemas/accounts-file.js'
import type { AccountDirectory } from './accounts/account-directory.js'
import { storedAuthenticators } from './accounts/authenticators.js'
import type { Config } from './config/config.js'
import { Emulator, type EmulatorParts } from './emulator/emulator.js'
import type { EmulatorPart } from './emulator/reset.js'
import type { Issuing } from './issuing-parts.js'
import type { Observation } from './journal/observation.js'
import type { AddressLimit } from './limits/rate-limits.js'

export interface EmulatorServicesParts
  extends Omit<EmulatorParts, 'seeds' | 'ownsTokenKeys' | 'parts' | 'environment' | 'takesOrders' | 'makesTokens'> {
  readonly config: Config
  readonly seeds: readonly AccountSeed[]
  readonly hash: (authenticator: string) => Buffer
  readonly accounts: AccountDirectory
  readonly addresses: AddressLimit
  readonly issued: Pick<Issuing, 'restart'>
  readonly observation: Observation | undefined
}

/** The emulator over the services that every server has. Only those who run one wait for its libraries to load. */
export function buildEmulator({ config, seeds, hash, ...services }: EmulatorServicesParts): Emulator {
  const createdAt = services.clock.now()
  const { observation } = services
  const emulator = new Emulator({
    ...services,
    environment: config.ENVIRONMENT,
    takesOrders: config.EMULATE_HEADERS,
    makesTokens: config.MODE === 'emulate',
    seeds: seeds.map(account => ({ account, authenticators: storedAuthenticators(account, { hash, createdAt }) })),
    ownsTokenKeys: config.TOKEN_KEYS === undefined && config.DATA_DIR === '',
    parts: partsInMemory(services),
  })
  const { clock, faults } = emulator
  faults.changed.add(() => observation?.stream.publish('faults', () => ({ faults: faults.list() })))
  clock.changed.add(change => observation?.stream.publish('clock', () => change))
  return emulator
}

/** What starts over with a reset, beside the database and what the emulator itself has. */
function partsInMemory(services: Omit<EmulatorServicesParts, 'config' | 'seeds' | 'hash'>): EmulatorPart[] {
  const { accounts, addresses, issued, limit, observation, refusals } = services
  return [
    { name: 'account cache', isCache: true, reset: () => accounts.clearCache() },
    { name: 'journal', reset: customerId => observation?.journal.clear(customerId) },
    { name: 'searched events', isCache: true, reset: () => observation?.tap.replaced() },
    { name: 'account limits', isCache: true, reset: customerId => limit.reset(customerId) },
    { name: 'refusals', isCache: true, reset: customerId => refusals.reset(customerId) },
    ofNobody('address limits', () => addresses.reset()),
    ofNobody('replayed recordings', () => issued.restart?.()),
  ]
}

/** It belongs to no customer, so a reset of one leaves it alone. */
function ofNobody(name: string, reset: () => void): EmulatorPart {
  return { name, reset: customerId => (customerId === undefined ? reset() : undefined) }
}
