import { type Command, Option } from 'commander'
import { CHARGES, TOKEN_STYLES } from '../ground/account-choices.js'
import { DRM_TITLES } from '../ground/drms.js'
import type { AdditionOptions, BalanceOptions, Change, Common, Creation, RotationOptions } from './account-actions.js'
import type { CommandContext } from './command-context.js'

const yesOrNo = (flags: string, description: string) => oneOf(['yes', 'no'], flags, description)

function oneOf(choices: readonly string[], flags: string, description: string): Option {
  return new Option(flags, description).choices(choices)
}

/** The commands below `accounts`: what they take. What they do is loaded when one of them is called. */
export function defineAccounts(accounts: Command, context: CommandContext, ended: (exitCode: number) => void): void {
  const run = async (action: (actions: typeof import('./account-actions.js')) => Promise<number>) =>
    ended(await action(await import('./account-actions.js')))
  const define = (usage: string, description: string, examples: readonly string[], group = accounts) => {
    const lines = examples.map(example => `  $ expressplay-token-backend accounts ${example}`)
    return group
      .command(usage)
      .description(description)
      .option('-u, --url <url>', 'through the admin API of this server')
      .option('--json', 'print JSON, in the form of the admin API')
      .addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
  }

  accounts.description('create, list and change customers, their balances and authenticators').addHelpText(
    'after',
    `
They work on the database of these settings (DATABASE_URL), which is there already; where a running server has it, through the
admin API of that server with ADMIN_TOKEN. The environment is test or production.

Examples:
  $ expressplay-token-backend accounts create --name 'Kino Example'
  $ expressplay-token-backend accounts balance 7 test --add 1000

Exit code 0 when it was done, 1 when it was refused, 2 when there was no answer.`,
  )

  define('list', 'all accounts', ['list', 'list --json']).action((options: Common) =>
    run(({ listAccounts }) => listAccounts(options, context)),
  )

  define('show', 'one account, and since when its authenticators are valid', ['show 7'])
    .argument('<id>', 'the account')
    .action((id: string, options: Common) => run(({ showAccount }) => showAccount(id, options, context)))

  const create = define('create', 'a new account; its authenticators are shown this once', [
    'create',
    "create --name 'Kino Example' --balance 5000 --playready no",
    'create --id 201722 --test - --production - < authenticators.txt',
  ])
    .option('--id <number>', 'its id; without it the next one that is free')
    .option('--name <text>', 'its name')
    .option('--balance <number>', 'its balance in each environment; 1000000 without it')
    .addOption(yesOrNo('--enabled <answer>', 'whether it gets tokens; yes without it'))
    .option('--max-redemptions <number>', 'how often one token may be redeemed; no limit without it')
    .option('--requests-per-minute <number>', 'how many requests; RATE_LIMIT_PER_ACCOUNT without it')
    .option('--tokens-per-day <number>', 'how many tokens, within the balance; no limit without it')
    .addOption(oneOf(CHARGES, '--charge <moment>', 'when a token is paid for; issue without it'))
    .addOption(oneOf(TOKEN_STYLES, '--token-style <style>', 'the outer form of its tokens; TOKEN_STYLE without it'))
    .addOption(
      yesOrNo(
        '--strict-parameters <answer>',
        'whether its token requests are read strictly; STRICT_PARAMETERS without it',
      ),
    )
    .option('--test <authenticator>', 'its authenticator for test, - to read a line; one is made without it')
    .option('--production <authenticator>', 'the same for production')
    .action((options: Creation) => run(({ createAccount }) => createAccount(options, context)))

  const change = define('change', 'the name, the options or the limits of an account, or whether it is enabled', [
    'change 7 --enabled no',
    "change 7 --name 'Kino Example' --playready yes",
    'change 7 --max-redemptions 3',
    'change 7 --requests-per-minute 600 --tokens-per-day none',
    'change 7 --charge redemption --token-style 2015 --strict-parameters yes',
  ])
    .argument('<id>', 'the account')
    .option('--name <text>', 'its name')
    .addOption(yesOrNo('--enabled <answer>', 'whether it gets tokens'))
    .option('--max-redemptions <number>', 'how often one token may be redeemed; none for no limit')
    .option('--requests-per-minute <number>', 'how many requests; none for RATE_LIMIT_PER_ACCOUNT')
    .option('--tokens-per-day <number>', 'how many tokens, within the balance; none for no limit')
    .addOption(oneOf(CHARGES, '--charge <moment>', 'when a token is paid for'))
    .addOption(
      oneOf([...TOKEN_STYLES, 'none'], '--token-style <style>', 'the outer form of its tokens; none for TOKEN_STYLE'),
    )
    .addOption(
      oneOf(
        ['yes', 'no', 'none'],
        '--strict-parameters <answer>',
        'whether its token requests are read strictly; none for STRICT_PARAMETERS',
      ),
    )
    .action((id: string, options: Change) => run(({ changeAccount }) => changeAccount(id, options, context)))

  for (const [drm, title] of Object.entries(DRM_TITLES)) {
    create.addOption(yesOrNo(`--${drm} <answer>`, `whether it gets ${title} tokens; yes without it`))
    change.addOption(yesOrNo(`--${drm} <answer>`, `whether it gets ${title} tokens`))
  }
  for (const command of [create, change])
    command.addOption(
      yesOrNo('--fairplay-device-binding <answer>', 'whether its FairPlay tokens may be bound to devices'),
    )

  define('balance', 'how many tokens an account may still get', [
    'balance 7 test --add 1000',
    'balance 7 production --add -50',
    'balance 7 test --set 0',
  ])
    .argument('<id>', 'the account')
    .argument('<environment>', 'test or production')
    .option('--add <number>', 'adds this many; a negative number subtracts')
    .option('--set <number>', 'sets it to this many')
    .action((id: string, environment: string, options: BalanceOptions) =>
      run(({ changeBalance }) => changeBalance(id, environment, options, context)),
    )

  define('rotate', 'a new authenticator; those before it without a name stay valid for a while', [
    'rotate 7 production',
    'rotate 7 test --valid-for 0',
    'rotate 7 test --authenticator - < authenticator.txt',
  ])
    .argument('<id>', 'the account')
    .argument('<environment>', 'test or production')
    .option('--authenticator <authenticator>', 'the new one, - to read it from standard input; made without it')
    .option('--valid-for <seconds>', 'how long those before stay valid at most; AUTHENTICATOR_OVERLAP without it')
    .action((id: string, environment: string, options: RotationOptions) =>
      run(({ rotateAuthenticator }) => rotateAuthenticator(id, environment, options, context)),
    )

  const authenticators = accounts.command('authenticators').description('list, add and remove authenticators')

  define(
    'list',
    'the names of all authenticators, and how long they are valid',
    ['authenticators list 7'],
    authenticators,
  )
    .argument('<id>', 'the account')
    .action((id: string, options: Common) => run(({ listAuthenticators }) => listAuthenticators(id, options, context)))

  define(
    'add',
    'another authenticator, with a name, beside those that are there',
    [
      'authenticators add 7 production --name storefront',
      'authenticators add 7 test --name contractor --valid-until 2027-01-01T00:00:00Z',
      'authenticators add 7 test --name packager --authenticator - < authenticator.txt',
    ],
    authenticators,
  )
    .argument('<id>', 'the account')
    .argument('<environment>', 'test or production')
    .requiredOption('--name <name>', 'its name')
    .option('--authenticator <authenticator>', 'the new one, - to read it from standard input; made without it')
    .option('--valid-until <moment>', 'when it stops being valid, RFC 3339 with Z; never without it')
    .action((id: string, environment: string, options: AdditionOptions) =>
      run(({ addAuthenticator }) => addAuthenticator(id, environment, options, context)),
    )

  define(
    'remove',
    'remove an authenticator, which ends at once',
    ['authenticators remove 7 test contractor'],
    authenticators,
  )
    .argument('<id>', 'the account')
    .argument('<environment>', 'test or production')
    .argument('<name>', 'its name, as authenticators list shows it')
    .action((id: string, environment: string, name: string, options: Common) =>
      run(({ removeAuthenticator }) => removeAuthenticator(id, environment, name, options, context)),
    )
}
