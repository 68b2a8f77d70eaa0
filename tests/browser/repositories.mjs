// Repositories for the tests of the page: real histories, written by git fast-import. Secrets are put together here, so
// that no scanner takes this file for a leak.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A generator of the same numbers in each run. */
export const random = (seed) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

const text = (next, length, alphabet = LETTERS) =>
  Array.from({ length }, () => alphabet[Math.floor(next() * alphabet.length)]).join('');

/** Lines that hold a secret, a new one each time. */
export const kinds = (next) => ({
  stripe: () => ['STRIPE_KEY=sk', 'live', text(next, 34)].join('_'),
  stripeTest: () => ['STRIPE_KEY=sk', 'test', text(next, 34)].join('_'),
  brevo: () => ['BREVO=xkeysib', text(next, 64, '0123456789abcdef'), text(next, 16)].join('-'),
  postgres: () => `DATABASE_URL=postgres://app:${text(next, 14)}${'@'}db${Math.floor(next() * 9)}.acme.io/orders`,
});

/** A repository made of commits: author, date (seconds), subject, and files to write (null removes one). */
const build = (folder, commits) => {
  mkdirSync(folder, { recursive: true });
  execFileSync('git', ['init', '--quiet', '--initial-branch=main', folder]);
  const bytes = (value) => {
    const buffer = Buffer.from(value);
    return [`data ${buffer.length}\n`, buffer, '\n'];
  };
  const parts = [];
  // git quotes names as C does.
  const quoted = (path) => `"${[...Buffer.from(path)].map((b) => (b < 32 || b > 126 || b === 34 || b === 92 ? `\\${b.toString(8).padStart(3, '0')}` : String.fromCharCode(b))).join('')}"`;
  commits.forEach(({ author, date, subject, files }, index) => {
    parts.push('commit refs/heads/main\n', `mark :${index + 1}\n`);
    parts.push(`author ${author} ${date} +0000\n`, `committer ${author} ${date} +0000\n`, ...bytes(subject));
    if (index > 0) parts.push(`from :${index}\n`);
    for (const [path, content] of Object.entries(files)) {
      if (content === null) parts.push(`D ${quoted(path)}\n`);
      else parts.push(`M 100644 inline ${quoted(path)}\n`, ...bytes(content));
    }
    parts.push('\n');
  });
  execFileSync('git', ['-C', folder, 'fast-import', '--quiet'], { input: Buffer.concat(parts.map((part) => Buffer.from(part))) });
  execFileSync('git', ['-C', folder, 'reset', '--quiet', '--hard']);
};

const day = (iso) => Date.parse(`${iso}T10:00:00Z`) / 1000;

export const HOSTILE = {
  path: 'config/<img src=x onerror=alert(1)>"\'&amp;\u202e{{data}}.env',
  author: 'Mallory <b onclick=alert(2)>',
  subject: '</script><script>alert(3)</script> \u001b[31mred',
  line: '<svg onload=alert(4)> </script><!-- \u001b]8;;http://evil.example\u0007 \u202e ',
};

/** A history as a small team has it, and what a hostile one would add. */
export const team = (folder) => {
  const make = kinds(random(7));
  const jane = 'Jane Doe <jane@acme.io>';
  const omar = 'Omar Haddad <omar@acme.io>';
  const [live, test, brevo, orders, billing] = [make.stripe(), make.stripeTest(), make.brevo(), make.postgres(), make.postgres()];
  build(folder, [
    { author: jane, date: day('2024-02-05'), subject: 'Take payments', files: { 'README.md': '# Shop\n', 'services/payments/app.env': `PORT=8080\n${live}\n` } },
    { author: omar, date: day('2024-04-18'), subject: 'Orders in their own database', files: { 'services/orders/settings.py': `DEBUG = False\n${orders.replace('=', ' = "')}"\n` } },
    { author: jane, date: day('2024-06-01'), subject: 'Copy the settings for staging', files: { 'deploy/staging/app.env': `PORT=80\n${live}\n`, 'deploy/staging/values.yaml': `key: ${Buffer.from(test).toString('base64')}\n` } },
    { author: omar, date: day('2024-11-20'), subject: 'Send mail with Brevo', files: { 'services/mail/mail.env': `${brevo}\n` } },
    { author: omar, date: day('2025-01-09'), subject: 'Mail settings go to the vault', files: { 'services/mail/mail.env': null } },
    { author: jane, date: day('2025-03-14'), subject: 'Billing job', files: { 'jobs/billing.sh': `#!/bin/sh\nexport ${billing}\n` } },
    { author: jane, date: day('2025-08-30'), subject: 'Remove the key of payments', files: { 'services/payments/app.env': 'PORT=8080\n', 'deploy/staging/app.env': 'PORT=80\n' } },
    // git takes no angle brackets in names of people.
    { author: `${HOSTILE.author.replace(/[<>]/g, '')} <m@evil.example>`, date: day('2025-10-02'), subject: HOSTILE.subject, files: { [HOSTILE.path]: `${HOSTILE.line}${make.stripe()} </pre><script>alert(5)</script>\n` } },
  ]);
};

/** So many secrets in a history of forty commits by a dozen people. */
export const large = (folder, count) => {
  const next = random(11);
  const make = kinds(next);
  const all = [make.stripe, make.postgres, make.postgres, make.brevo, make.stripeTest];
  const commits = [];
  const each = Math.ceil(count / 40 / 10);
  let left = count;
  for (let n = 0; n < 40; n += 1) {
    const files = {};
    for (let file = 0; file < 10; file += 1) {
      const lines = Array.from({ length: Math.min(each, left) }, () => all[Math.floor(next() * all.length)]());
      left -= lines.length;
      files[`services/s${n % 20}/module${n}/settings${file}.env`] = `${lines.join('\n')}\n`;
    }
    // A quarter is removed again, some commits later.
    if (n > 4) for (let file = 0; file < 3; file += 1) files[`services/s${(n - 5) % 20}/module${n - 5}/settings${file}.env`] = null;
    commits.push({ author: `Person ${n % 12} <person${n % 12}@acme.io>`, date: day('2021-01-10') + n * 40 * 86400, subject: `Change ${n}`, files });
  }
  build(folder, commits);
};
