import { Databases } from './databases.js'
import { benchEntitlements } from './entitlements.js'
import { benchGateway } from './gateway.js'
import { benchKeystore } from './keystore.js'
import { benchLookUps } from './look-ups.js'
import { benchRedemptions } from './redemptions.js'
import { benchTokens } from './tokens.js'

/** `npm run bench -- [--quick] [tokens] [redemptions] [look-ups] [keystore] [gateway] [entitlements]`: what is named, or all. */
const benches = {
  tokens: benchTokens,
  redemptions: benchRedemptions,
  'look-ups': benchLookUps,
  keystore: benchKeystore,
  gateway: benchGateway,
  entitlements: benchEntitlements,
}

const isQuick = process.argv.includes('--quick')
const named = Object.keys(benches).filter(name => process.argv.includes(name))
for (const [name, bench] of Object.entries(benches)) {
  if (named.length > 0 && !named.includes(name)) continue
  const databases = new Databases()
  try {
    await bench({ isQuick, databases })
  } finally {
    await databases.end()
  }
}
