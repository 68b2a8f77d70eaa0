'use strict';
// Builds the page from the findings in the script tag `data`. Text goes into text nodes alone: the page's policy forbids
// whatever would parse it as HTML.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const SEVERITIES = ['critical', 'high', 'medium', 'low'];
  const DAY = 86400000;
  // Findings, groups and rows of tables that are built at a time.
  const STEP = 50;
  // Bars of the timeline that are drawn at a time.
  const BARS = 10;

  const $ = (id) => document.getElementById(id);
  const number = (n) => n.toLocaleString('en-US');
  const counted = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;

  const fill = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === false || value === null || value === undefined) continue;
      if (typeof value === 'function') node.addEventListener(name, value);
      else node.setAttribute(name, value === true ? '' : String(value));
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  };
  const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

  const day = (time) =>
    new Date(time).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
  const days = (n) => (n === 0 ? 'less than a day' : counted(n, 'day', 'days'));
  const short = (id) => id.slice(0, 10);
  const time = (commit) => (commit && commit.date ? Date.parse(commit.date) : NaN);

  // ── the findings, with what the filters ask of them ──

  const items = data.findings.map((found, index) => {
    const kind = data.kinds[found.kind];
    const history = found.history;
    const first = history && history.first !== undefined ? data.commits[history.first] : null;
    const last = history && history.last !== undefined ? data.commits[history.last] : null;
    let snippet = null;
    for (const place of found.places) snippet = place.snippet = place.snippet || snippet;
    const author = first ? (first.author && first.email ? `${first.author} <${first.email}>` : first.author || first.email) : '';
    const paths = [...new Set(found.places.map((place) => place.path))];
    let head = 'tree';
    if (history) head = history.in_head === undefined ? 'unknown' : history.in_head ? 'yes' : 'no';
    const isThere = Boolean(history) && (history.in_head || history.tips.length > 0);
    const words = [
      kind.rule, kind.name, kind.provider, found.fingerprint, found.secret, found.severity, author, ...paths,
      found.suppressed || '', ...found.places.map((place) => place.commit || ''),
    ];
    for (const commit of [first, last]) if (commit) words.push(commit.id, commit.subject);
    const [status, told] = found.verification || ['', []];
    for (const [, value] of [...(found.opens || []), ...(found.parts || []), ...told]) words.push(value);
    const start = time(first);
    const isDated = Number.isFinite(start) && history.days !== undefined;
    return {
      ...found, status, told, index, kind, history, first, last, author, paths, head, isThere, isDated, start,
      end: isDated ? start + history.days * DAY : NaN,
      text: words.join('\n').toLowerCase(),
    };
  });
  const byFingerprint = new Map();
  for (const item of items) if (!byFingerprint.has(item.fingerprint)) byFingerprint.set(item.fingerprint, item);
  const counting = items.filter((item) => !item.suppressed);
  const hasHistory = items.some((item) => item.history);
  const hasAuthors = items.some((item) => item.author);
  const now = items.reduce((latest, item) => (item.isDated && item.end > latest ? item.end : latest), -Infinity);

  // ── filters; all of their state is in the address ──

  const EMPTY = { q: '', severity: '', rule: '', path: '', author: '', confidence: '', verified: '', head: '', group: '' };
  const FIELDS = Object.keys(EMPTY).filter((name) => name !== 'severity');
  let filters = { ...EMPTY };
  let matching = items;

  const query = (state) => {
    const pairs = Object.entries(state).filter(([, value]) => value !== '');
    return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
  };
  const findingLink = (item) => `#/finding/${item.fingerprint}${query(filters)}`;
  const listLink = () => `#/${query(filters)}`;

  const chosenSeverities = () => filters.severity.split(',').filter((word) => SEVERITIES.includes(word));

  // Part of a path; with `*`, which also crosses `/`, a name or several in a row. Without regular expressions: a link
  // with many stars must not hang the page.
  const pathTest = (wanted) => {
    const text = wanted.toLowerCase();
    if (!text.includes('*')) return (path) => path.includes(text);
    const pieces = `/${text.replace(/^\/|\/$/g, '')}/`.split('*');
    return (path) => {
      const whole = `/${path}/`;
      let at = 0;
      return pieces.every((piece) => {
        const found = whole.indexOf(piece, at);
        at = found + piece.length;
        return found >= 0;
      });
    };
  };

  const matches = () => {
    const severities = chosenSeverities();
    const words = filters.q.toLowerCase().split(/\s+/).filter(Boolean);
    const hasPath = filters.path === '' ? null : pathTest(filters.path.trim());
    const { rule, author, confidence, verified, head } = filters;
    return items.filter(
      (item) =>
        (severities.length === 0 || severities.includes(item.severity)) &&
        (rule === '' || item.kind.rule === rule) &&
        (author === '' || item.author === author) &&
        (confidence === '' || item.confidence === confidence) &&
        (verified === '' || item.status === verified) &&
        (head === '' || (head === 'suppressed' ? Boolean(item.suppressed) : item.head === head && !item.suppressed)) &&
        (hasPath === null || item.paths.some((path) => hasPath(path.toLowerCase()))) &&
        words.every((word) => item.text.includes(word)),
    );
  };

  const change = (changed, isTyped) => {
    filters = { ...filters, ...changed };
    const address = listLink();
    // Typing is one step back, a choice is one each.
    if (isTyped && address !== location.hash) history.replaceState(null, '', address);
    else if (address !== location.hash) history.pushState(null, '', address);
    route();
  };

  const option = (value, label) => el('option', { value }, label);
  const options = (id, all, any) => $(id).replaceChildren(option('', any), ...all.map(([value, label]) => option(value, label)));
  const tally = (value) => {
    const counts = new Map();
    for (const item of items) {
      const key = value(item);
      if (key) counts.set(key, (counts.get(key) || 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  };
  const withCounts = (pairs) => pairs.map(([value, count]) => [value, `${value} (${number(count)})`]);

  const setUpFilters = () => {
    options('rule', withCounts(tally((item) => item.kind.rule)), 'All');
    options('author', withCounts(tally((item) => item.author)), 'All');
    const confidences = new Map(tally((item) => item.confidence));
    options('confidence', withCounts(['high', 'medium', 'low'].filter((w) => confidences.has(w)).map((w) => [w, confidences.get(w)])), 'Any');
    const statuses = new Map(tally((item) => item.status));
    options('verified', withCounts(['active', 'inactive', 'unknown', 'unsupported'].filter((w) => statuses.has(w)).map((w) => [w, statuses.get(w)])), 'Any');
    $('verified').parentElement.hidden = !items.some((item) => item.status);
    const states = { yes: 'Still in HEAD', no: 'Not in HEAD', tree: 'Not from history', unknown: 'Unknown', suppressed: 'Suppressed' };
    const found = new Map(tally((item) => (item.suppressed ? 'suppressed' : item.head)));
    options('head', Object.entries(states).filter(([key]) => found.has(key)).map(([key, label]) => [key, `${label} (${number(found.get(key))})`]), 'Any');
    options('group', [['rule', 'Rule'], ['path', 'Path'], ...(hasAuthors ? [['author', 'Author']] : [])], 'Secret');
    $('author').parentElement.hidden = !hasAuthors;
    $('head').parentElement.hidden = found.size < 2;
    $('filters').hidden = items.length === 0;
    for (const name of FIELDS) {
      const field = $(name);
      const isTyped = field.tagName === 'INPUT';
      field.addEventListener(isTyped ? 'input' : 'change', () => change({ [name]: field.value }, isTyped));
    }
    $('filters').addEventListener('submit', (event) => event.preventDefault());
    $('clear').addEventListener('click', () => {
      change({ ...EMPTY, group: filters.group });
      $('q').focus();
    });
    $('fold').addEventListener('click', () => {
      const isOpen = $('fields').classList.toggle('open');
      $('fold').setAttribute('aria-expanded', isOpen);
    });
    for (const severity of SEVERITIES) {
      const count = counting.filter((item) => item.severity === severity).length;
      const toggle = () => {
        const chosen = chosenSeverities();
        const next = chosen.includes(severity) ? chosen.filter((s) => s !== severity) : [...chosen, severity];
        change({ severity: SEVERITIES.filter((s) => next.includes(s)).join(',') });
      };
      const share = counting.length === 0 ? 0 : count / counting.length;
      const bar = svg('svg', { class: 'share', 'aria-hidden': 'true', preserveAspectRatio: 'none', viewBox: '0 0 100 4' },
        svg('rect', { class: 'track', width: 100, height: 4 }),
        svg('rect', { class: 'part', width: Math.max(share * 100, count > 0 ? 2 : 0), height: 4 }));
      $('severities').append(
        el('button', { type: 'button', class: `tile ${severity}`, 'data-severity': severity, 'aria-pressed': 'false', disabled: count === 0 && !items.some((i) => i.severity === severity), click: toggle },
          el('span', { class: 'figure' }, number(count)), ' ', el('span', { class: 'word' }, severity), bar));
    }
  };

  const showFilters = () => {
    for (const name of FIELDS) {
      const field = $(name);
      if (field.value === filters[name]) continue;
      field.value = filters[name];
      // An address can name what this report does not hold: it is shown as what it is.
      if (field.tagName === 'SELECT' && field.value !== filters[name]) {
        field.append(option(filters[name], `${filters[name]} (0)`));
        field.value = filters[name];
      }
    }
    const chosen = chosenSeverities();
    for (const tile of $('severities').children) tile.setAttribute('aria-pressed', chosen.includes(tile.dataset.severity));
    const used = ['rule', 'path', 'author', 'confidence', 'head'].filter((name) => filters[name] !== '').length;
    $('fold').textContent = used === 0 ? 'Filters' : `Filters (${used})`;
    $('clear').disabled = Object.keys(EMPTY).every((name) => name === 'group' || filters[name] === '');
  };

  // ── parts that several views share ──

  // Appends a list piece by piece; a button brings the next piece.
  const pieces = (parent, list, build, what) => {
    let shown = 0;
    const button = el('button', { type: 'button', class: 'quiet more' });
    const next = (focus) => {
      const part = list.slice(shown, shown + STEP).map(build);
      parent.append(...part);
      shown += part.length;
      if (shown >= list.length) button.remove();
      else button.textContent = `Show ${number(Math.min(STEP, list.length - shown))} more of ${number(list.length - shown)} ${what}`;
      if (focus && part[0]) (part[0].querySelector('summary, a') || part[0]).focus();
    };
    button.addEventListener('click', () => next(true));
    next(false);
    return shown < list.length ? button : null;
  };

  const badge = (item) =>
    el('span', { class: `badge ${item.suppressed ? 'dropped' : item.severity}` }, item.suppressed ? 'suppressed' : item.severity);
  const secret = (item) => el('code', { class: 'secret' }, item.secret);

  const snippet = (place) =>
    place.snippet &&
    el('pre', { class: 'snippet' }, el('span', { class: 'line' }, `${place.line}`), el('code', {}, place.snippet[0], el('mark', {}, place.snippet[1]), place.snippet[2]));

  const encoded = (place) => (place.decoded_from ? `decoded from ${place.decoded_from.join(', then ')}` : '');

  // Rules can come from anybody: a link leads to the web or is no link.
  const outside = (url, label) =>
    /^https?:\/\//i.test(url) ? el('a', { href: url, rel: 'noopener noreferrer', target: '_blank' }, label || url) : el('code', {}, url);

  const prose = (text) => text.split('`').map((piece, index) => (index % 2 === 1 ? el('code', {}, piece) : piece));

  const status = (item) => item.status && [' ', el('span', { class: item.status === 'active' ? 'state there' : 'state' }, item.status)];

  const state = (item) => {
    if (!item.history || item.head === 'unknown') return '';
    const tips = item.history.tips.length + item.history.more_tips;
    if (item.history.in_head) return 'still in HEAD';
    return tips > 0 ? `not in HEAD, still in ${counted(tips, 'ref', 'refs')}` : 'removed';
  };

  const span = (item) => {
    if (!item.isDated) return state(item);
    const length = days(item.history.days);
    return item.isThere ? `since ${day(item.start)}, ${state(item)} (${length})` : `${day(item.start)} to ${day(item.end)}, ${state(item)} (${length})`;
  };

  const next = (item) => [
    el('p', {}, ...prose(item.kind.remedy || 'Revoke it where it was made, make a new one, and keep that out of the repository.'), item.first ? ` ${data.stays}` : ''),
    item.kind.console && el('p', {}, 'Console: ', outside(item.kind.console)),
  ];

  const placeCount = (item) => item.places.length + (item.more_places || 0);

  // ── the list ──

  const row = (item) => {
    const place = item.places[0];
    const others = placeCount(item) - 1;
    const when = item.history && [
      el('span', { class: item.isThere ? 'state there' : 'state' }, state(item)),
      item.isDated && [' ', el('span', { class: 'age' }, days(item.history.days))],
      item.first && item.first.author && [' ', el('span', { class: 'who' }, item.first.author)],
    ];
    const details = el('details', { class: `row ${item.suppressed ? 'dropped' : item.severity}`, 'data-fingerprint': item.fingerprint },
      el('summary', {},
        badge(item), ' ',
        el('span', { class: 'what' }, el('span', { class: 'name' }, item.kind.name), ' ', secret(item), status(item)), ' ',
        el('span', { class: 'where' }, el('code', {}, place ? place.at : '-'), others > 0 && ` and ${counted(others, 'more place', 'more places')}`), ' ',
        el('span', { class: 'when' }, ...(when || []).flat())));
    details.addEventListener('toggle', () => {
      if (!details.open || details.lastElementChild.tagName !== 'SUMMARY') return;
      details.append(
        el('div', { class: 'inside' },
          place && snippet(place),
          place && place.decoded_from && el('p', { class: 'aside' }, encoded(place)),
          item.told.length > 0 && el('p', {}, `Verified: ${item.told[0][1]}`),
          item.suppressed ? el('p', {}, `Dropped: ${item.suppressed}`) : next(item),
          el('p', {}, el('a', { class: 'open', href: findingLink(item), click: (event) => { event.currentTarget.href = findingLink(item); } }, 'Open this finding'))));
    });
    return details;
  };

  const groups = () => {
    const all = new Map();
    const add = (key, item) => {
      if (!all.has(key)) all.set(key, []);
      all.get(key).push(item);
    };
    for (const item of matching) {
      if (filters.group === 'path') for (const path of item.paths) add(path, item);
      else add(filters.group === 'rule' ? item.kind.rule : item.author || 'no known author', item);
    }
    const rank = (list) => Math.min(...list.map((item) => (item.suppressed ? 9 : SEVERITIES.indexOf(item.severity))));
    return [...all].map(([key, list]) => ({ key, list, rank: rank(list) }))
      .sort((a, b) => a.rank - b.rank || b.list.length - a.list.length || (a.key < b.key ? -1 : 1));
  };

  const groupName = (group) => (filters.group === 'rule' ? group.list[0].kind.name : group.key);

  const group = (all) => (one) => {
    const counts = SEVERITIES.map((severity) => [severity, one.list.filter((item) => !item.suppressed && item.severity === severity).length]);
    const details = el('details', { class: 'group' },
      el('summary', {},
        el('span', { class: 'key' }, groupName(one)), ' ',
        el('span', { class: 'tally' }, ...counts.filter(([, n]) => n > 0).map(([severity, n]) => [el('span', { class: `dot ${severity}` }, `${number(n)} ${severity}`), ' '])), ' ',
        el('span', { class: 'sum' }, counted(one.list.length, 'secret', 'secrets'))));
    const open = () => {
      if (!details.open || details.lastElementChild.tagName !== 'SUMMARY') return;
      const box = el('div', { class: 'rows' });
      details.append(box);
      const more = pieces(box, one.list, row, 'secrets');
      if (more) details.append(more);
    };
    details.addEventListener('toggle', open);
    if (all.length === 1) {
      details.open = true;
      open();
    }
    return details;
  };

  const showList = () => {
    const list = $('list');
    const what = matching.length === items.length ? counted(items.length, 'secret', 'secrets') : `${number(matching.length)} of ${counted(items.length, 'secret', 'secrets')}`;
    if (matching.length === 0) {
      $('count').textContent = what;
      $('status').textContent = what;
      list.replaceChildren(el('p', { class: 'nothing' }, 'No secret fits these filters.'));
      return;
    }
    const box = el('div', { class: filters.group ? 'groups' : 'rows' });
    let more;
    let title = what;
    if (filters.group) {
      const all = groups();
      const names = { rule: ['rule', 'rules'], path: ['path', 'paths'], author: ['author', 'authors'] }[filters.group] || ['group', 'groups'];
      title = `${what}, ${counted(all.length, ...names)}`;
      more = pieces(box, all, group(all), names[1]);
    } else {
      more = pieces(box, matching, row, 'secrets');
    }
    $('count').textContent = title;
    $('status').textContent = title;
    list.replaceChildren(box, ...(more ? [more] : []));
  };

  // ── the timeline ──

  const ticks = (from, to, room) => {
    const years = [1, 2, 5, 10, 20, 50, 100, 500, 1000];
    const wanted = Math.max(2, Math.floor(room / 90));
    const first = new Date(from);
    const months = (to - from) / DAY / 30.4;
    const out = [];
    if (months / wanted < 9) {
      const step = [1, 2, 3, 6].find((n) => months / n <= wanted) || 12;
      for (let month = Math.floor(first.getUTCMonth() / step) * step; out.length < 200; month += step) {
        const at = Date.UTC(first.getUTCFullYear(), month, 1);
        if (at > to) break;
        if (at >= from) out.push([at, new Date(at).toLocaleDateString('en-GB', { month: 'short', year: 'numeric', timeZone: 'UTC' })]);
      }
    } else {
      const step = years.find((n) => months / 12 / n <= wanted) || 1000;
      for (let year = Math.ceil(first.getUTCFullYear() / step) * step; out.length < 200; year += step) {
        const at = Date.UTC(year, 0, 1);
        if (at > to) break;
        if (at >= from) out.push([at, String(year)]);
      }
    }
    return out.length > 0 ? out : [[from, day(from)]];
  };

  // How many were exposed at each moment: [time, count], and the most there were.
  const levels = (dated) => {
    const steps = [];
    for (const item of dated) {
      steps.push([item.start, 1]);
      if (!item.isThere) steps.push([Math.max(item.end, item.start + DAY), -1]);
    }
    steps.sort((a, b) => a[0] - b[0]);
    const out = [];
    let count = 0;
    for (const [at, delta] of steps) {
      count += delta;
      const last = out[out.length - 1];
      if (last && last[0] === at) last[1] = count;
      else out.push([at, count]);
    }
    return out;
  };

  const drawTimeline = (dated, shown, width) => {
    const isWide = width >= 640;
    const left = isWide ? Math.min(300, Math.round(width * 0.3)) : 0;
    const right = 14;
    const from = dated.reduce((least, item) => Math.min(least, item.start), Infinity);
    const to = Math.max(now, from + DAY);
    const room = width - left - right;
    const x = (at) => left + ((at - from) / (to - from)) * room;
    const strip = 56;
    const rowHeight = isWide ? 38 : 58;
    const top = strip + 30;
    const height = top + shown.length * rowHeight + 6;
    const picture = svg('svg', { class: 'chart', viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'Timeline: a bar for each secret, from the commit that brought it to its removal' });
    const back = svg('g', { 'aria-hidden': 'true' });
    const steps = levels(dated);
    const most = steps.reduce((max, [, count]) => Math.max(max, count), 1);
    const y = (count) => strip - (count / most) * (strip - 16);
    let line = `M${x(from).toFixed(1)} ${strip}`;
    // More steps than pixels would be drawn on top of each other.
    const columns = new Map();
    for (const [at, count] of steps) columns.set(Math.round(x(at)), count);
    for (const [at, count] of columns) line += `H${at}V${y(count).toFixed(1)}`;
    line += `H${x(to).toFixed(1)}V${strip}Z`;
    back.append(svg('path', { class: 'area', d: line }));
    const label = (at) => (at > width - 40 ? 'end' : at < left + 30 ? 'start' : 'middle');
    let free = -Infinity;
    for (const [at, text] of ticks(from, to, room)) {
      const place = x(at);
      back.append(svg('line', { class: 'grid', x1: place, x2: place, y1: strip, y2: height }));
      if (place < free) continue;
      back.append(svg('text', { class: 'tick', x: place, y: strip + 18, 'text-anchor': label(place) }, text));
      free = place + 70;
    }
    back.append(svg('line', { class: 'axis', x1: left, x2: width - right, y1: strip, y2: strip }));
    back.append(svg('text', { class: 'tick', x: isWide ? left - 12 : 0, y: isWide ? strip - 4 : 11, 'text-anchor': isWide ? 'end' : 'start' }, `at most ${number(most)} exposed at once`));
    picture.append(back);
    shown.forEach((item, index) => {
      const begin = top + index * rowHeight;
      const bar = begin + (isWide ? 13 : 38);
      const x1 = x(item.start);
      const x2 = item.isThere ? width - right : Math.max(x(item.end), x1 + 4);
      // Text in a picture does not wrap; a path says most at its end.
      const cut = Math.floor(isWide ? (left - 20) / 7.4 : width / 7.6);
      const name = item.kind.name.length > cut ? `${item.kind.name.slice(0, cut - 1)}…` : item.kind.name;
      const where = item.places[0] ? item.places[0].at : '';
      const fits = Math.floor((isWide ? left - 20 : width) / 6.9);
      const file = where.length > fits ? `…${where.slice(1 - fits)}` : where;
      const text = { x: isWide ? left - 12 : 0, 'text-anchor': isWide ? 'end' : 'start' };
      const link = svg('a', { href: findingLink(item), class: `bar ${item.severity}${item.isThere ? ' there' : ''}` },
        svg('title', {}, `${item.kind.name} ${where}, ${item.severity}, ${span(item)}`),
        svg('rect', { class: 'hit', x: 0, y: begin, width, height: rowHeight, rx: 4 }),
        svg('text', { class: 'label', ...text, y: begin + 16 }, name),
        svg('text', { class: 'file', ...text, y: begin + 31 }, file),
        svg('rect', { class: 'span', x: x1, y: bar, width: Math.max(x2 - x1, 4), height: 12, rx: item.isThere ? 2 : 6 }),
        item.isThere && svg('path', { class: 'arrow', d: `M${x2} ${bar - 2}l9 8l-9 8z` }));
      picture.append(link);
    });
    return picture;
  };

  let bars = BARS;
  let drawnWidth = 0;

  const showTimeline = () => {
    const dated = matching.filter((item) => item.isDated && !item.suppressed);
    $('exposure').hidden = dated.length === 0;
    if (dated.length === 0 || !$('exposure').open) return;
    const box = $('timeline');
    const width = Math.max(280, Math.round(box.clientWidth || 900));
    drawnWidth = width;
    const order = [...dated].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || b.history.days - a.history.days || a.index - b.index);
    const shown = order.slice(0, bars);
    const there = dated.filter((item) => item.isThere).length;
    const lead = el('p', { class: 'aside' }, `Still in HEAD or in another ref’s newest tree, marked by an arrow: ${number(there)} of ${number(dated.length)}.`,
      order.length > shown.length && ` The bars show the ${number(shown.length)} most severe and longest exposed.`);
    const buttons = order.length > shown.length && el('button', { type: 'button', class: 'quiet more', click: () => { bars += BARS; showTimeline(); } }, `Show ${number(Math.min(BARS, order.length - shown.length))} more bars`);
    const table = el('details', { class: 'table' }, el('summary', {}, 'The same as a table'));
    table.addEventListener('toggle', () => {
      if (!table.open || table.querySelector('table')) return;
      const body = el('tbody');
      const more = pieces(body, order, (item) =>
        el('tr', {},
          el('th', { scope: 'row' }, el('a', { href: findingLink(item) }, item.kind.name)),
          el('td', {}, item.severity),
          el('td', {}, day(item.start)),
          el('td', {}, item.isThere ? state(item) : day(item.end)),
          el('td', { class: 'n' }, number(item.history.days))), 'rows');
      table.append(el('table', {}, el('caption', { class: 'unseen' }, 'Exposure of each secret'),
        el('thead', {}, el('tr', {}, ...['Secret', 'Severity', 'Introduced', 'Removed', 'Days'].map((head) => el('th', { scope: 'col' }, head)))), body), ...(more ? [more] : []));
    });
    box.replaceChildren(lead, drawTimeline(order, shown, width), ...(buttons ? [buttons] : []), table);
  };

  // ── the page of a finding ──

  const commitLine = (commit) => [
    el('code', { class: 'id' }, short(commit.id)), ' ',
    commit.subject && [el('span', { class: 'subject' }, commit.subject), ' '],
    el('span', { class: 'aside' }, [commit.author, commit.email && `<${commit.email}>`].filter(Boolean).join(' ')),
  ];

  const refList = (names, more) =>
    el('ul', { class: 'refs' }, ...names.map((name) => el('li', {}, el('code', {}, name))), more > 0 && el('li', {}, `and ${number(more)} more`));

  const events = (item) => {
    const { history } = item;
    const dated = (commit) => (Number.isFinite(time(commit)) ? el('time', { datetime: commit.date }, day(time(commit))) : el('span', {}, 'no date'));
    const list = el('ol', { class: 'events' });
    if (item.first) {
      const again = history.introductions > 1 ? ` (the first of ${number(history.introductions)} times)` : '';
      const came = history.or_earlier ? 'Introduced here, where the shallow clone ends, or earlier' : 'Introduced';
      list.append(el('li', { class: 'begin' }, dated(item.first), ' ', el('strong', {}, `${came}${again}`), el('div', {}, ...commitLine(item.first).flat())));
    }
    if (item.last && !item.isThere && item.head !== 'unknown' && item.last !== item.first) {
      list.append(el('li', {}, dated(item.last), ' ', el('strong', {}, 'Last held'), el('div', {}, ...commitLine(item.last).flat())));
    }
    if (item.isDated || item.head === 'yes' || item.head === 'no') {
      const exposed = item.isDated ? `, exposed ${days(history.days)}` : '';
      const when = item.isThere ? el('span', {}, 'Now') : item.isDated ? el('time', { datetime: new Date(item.end).toISOString() }, day(item.end)) : el('span', {}, 'Now');
      const what = item.isThere ? state(item) : history.refs.length > 0 ? 'removed from HEAD and from the tip of every ref' : item.first ? 'in no ref any more' : 'in no commit of a scanned ref';
      list.append(el('li', { class: item.isThere ? 'there' : 'gone' }, when, ' ', el('strong', {}, what[0].toUpperCase() + what.slice(1)), exposed));
    }
    return list;
  };

  const lifeline = (item) => {
    if (!item.isDated) return null;
    const [from, to] = [items.reduce((least, other) => (other.isDated ? Math.min(least, other.start) : least), Infinity), now];
    const at = (moment) => (to > from ? 2 + ((moment - from) / (to - from)) * 94 : 2);
    const end = item.isThere ? 96 : at(item.end);
    return el('div', { class: 'lifeline', 'aria-hidden': 'true' },
      el('span', {}, day(from)),
      svg('svg', { viewBox: '0 0 100 10', preserveAspectRatio: 'none', class: item.severity },
        svg('rect', { class: 'track', x: 0, y: 4, width: 100, height: 2 }),
        svg('rect', { class: 'part', x: at(item.start), y: 2, width: Math.max(end - at(item.start), 0.8), height: 6 })),
      el('span', {}, day(to)));
  };

  const section = (title, ...children) => el('section', {}, el('h2', {}, title), ...children);

  const placeItem = (item) => (place, index) => {
    const commit = place.commit && data.commits.find((one) => one.id === place.commit);
    const isNew = index > 0 && place.snippet && place.snippet.join('') !== item.places[0].snippet.join('');
    return el('li', {},
      el('code', { class: 'path' }, place.at),
      el('div', { class: 'aside' }, ...[
        place.commit && ['commit ', el('code', {}, short(place.commit)), commit && commit.date ? ` of ${day(Date.parse(commit.date))}` : ''],
        place.blob && [place.commit ? ', object ' : 'object ', el('code', {}, short(place.blob))],
        encoded(place) && [place.commit || place.blob ? ', ' : '', encoded(place)],
        place.suppressed && [place.commit || place.blob || encoded(place) ? ', ' : '', `dropped: ${place.suppressed}`],
      ].filter(Boolean).flat()),
      isNew && snippet(place));
  };

  const fact = (name, ...value) => [el('div', {}, el('dt', {}, name), el('dd', {}, ...value))];

  const showFinding = (item) => {
    const page = $('finding');
    if (!item) {
      page.replaceChildren(
        el('p', { class: 'back' }, el('a', { href: listLink() }, '← All findings')),
        el('h1', { tabindex: '-1' }, 'No such finding'),
        el('p', { class: 'lead' }, 'This report holds no finding with that fingerprint. It may have been removed since the address was copied.'));
      return;
    }
    const place = item.places[0];
    const at = matching.indexOf(item);
    const neighbour = (offset, label) => {
      const other = at < 0 ? undefined : matching[at + offset];
      return other ? el('a', { href: findingLink(other), rel: offset < 0 ? 'prev' : 'next' }, label) : null;
    };
    const others = (item.parts || []).filter(([name, value]) => !(item.opens || []).some(([n, v]) => n === name && v === value));
    const placesBox = el('ul', { class: 'places' });
    const morePlaces = pieces(placesBox, item.places, placeItem(item), 'places');
    page.replaceChildren(
      el('nav', { class: 'back', 'aria-label': 'Findings' },
        el('a', { href: listLink() }, '← All findings'),
        at >= 0 && matching.length > 1 && el('span', { class: 'steps' }, neighbour(-1, 'Previous'), el('span', {}, `${number(at + 1)} of ${number(matching.length)}`), neighbour(1, 'Next'))),
      el('div', { class: 'head' },
        el('p', { class: 'kicker' }, badge(item), ' ', el('span', {}, `confidence ${item.confidence}`), status(item), item.history && state(item) && [' ', el('span', { class: item.isThere ? 'state there' : 'state' }, state(item))]),
        el('h1', { tabindex: '-1' }, item.kind.name),
        el('p', { class: 'lead' }, secret(item))),
      el('div', { class: 'columns' },
        el('div', {},
          item.suppressed
            ? section('Why it does not count', el('p', {}, item.suppressed))
            : el('section', { class: `next ${item.severity}` }, el('h2', {}, 'What to do next'), next(item)),
          place && section('Where it stands', el('p', {}, el('code', { class: 'path' }, place.at)), snippet(place), place.decoded_from && el('p', { class: 'aside' }, encoded(place))),
          item.history && section('History', lifeline(item), events(item),
            item.history.tips.length > 0 && [el('h3', {}, 'In the newest tree of'), refList(item.history.tips, item.history.more_tips)],
            item.history.refs.length > 0 && [el('h3', {}, 'In the history of'), refList(item.history.refs, item.history.more_refs)]),
          placeCount(item) > 1 && section(counted(placeCount(item), 'place', 'places'), placesBox, morePlaces,
            item.more_places && el('p', { class: 'aside' }, `${number(item.more_places)} more are in the json and jsonl reports.`))),
        el('aside', { 'aria-label': 'Facts' },
          el('dl', {},
            ...fact('Rule', el('code', {}, item.kind.rule)),
            ...(item.kind.provider ? fact('Provider', item.kind.provider) : []),
            ...fact('Severity', item.severity),
            ...fact('Confidence', `${item.confidence} (score ${item.score.toFixed(2)})`),
            ...fact('Entropy', `${item.entropy.toFixed(2)} bits a character`),
            ...(item.opens ? item.opens.flatMap(([name, value]) => fact(`Opens: ${name}`, el('code', {}, value))) : []),
            ...others.flatMap(([name, value]) => fact(`Part: ${name}`, el('code', {}, value))),
            ...item.told.flatMap(([name, value]) => fact(`Verified: ${name}`, value)),
            ...(item.owners ? fact('Owners', item.owners.join(', ')) : []),
            ...(item.kind.link ? fact('About this kind', outside(item.kind.link)) : []),
            ...fact('Fingerprint', el('code', { class: 'print' }, item.fingerprint))),
          !item.suppressed && el('div', { class: 'accept' }, el('p', {}, 'Meant to be there? Put this into a comment on its line:'), el('p', {}, el('code', { class: 'print' }, `keysweep:allow ${item.kind.rule}`))))));
  };

  // ── what does not change ──

  const showFrame = () => {
    $('source').replaceChildren(el('span', { class: 'root' }, data.root), ...(data.branch || data.revision ? [' ', el('code', {}, [data.branch, data.revision && short(data.revision)].filter(Boolean).join(' @ '))] : []));
    $('title').textContent = counting.length === 0 ? (data.cancelled ? 'Stopped, no secrets found until then' : 'No secrets found') : counted(counting.length, 'exposed secret', 'exposed secrets');
    const still = counting.filter((item) => item.head === 'yes').length;
    $('scanned').textContent = `${data.scanned}${hasHistory && counting.length > 0 ? `. ${number(still)} still in HEAD` : ''}.`;
    const account = $('account');
    const gaps = data.gaps.length + data.more_gaps;
    const isWarned = !data.complete;
    if (isWarned) {
      const why = [gaps > 0 && `${counted(gaps, 'thing', 'things')} could not be scanned`, data.cancelled && 'the run was stopped before its end'].filter(Boolean).join(', and ');
      $('alert').append(el('p', { class: 'alert' }, el('strong', {}, 'Incomplete: '), `${why}. There may be more secrets than are listed here. `, el('a', { href: '#account', 'data-to': 'account' }, 'See what is missing')));
    } else if (counting.length === 0) {
      $('alert').append(el('p', { class: 'calm' }, 'Everything that was to be scanned was scanned.'));
    }
    const entries = (list, more) => el('ul', { class: 'left' }, ...list.map((left) => el('li', {}, left.path && el('code', {}, left.path), left.path && ' ', left.reason)), more > 0 && el('li', {}, `and ${number(more)} more, in the json and jsonl reports`));
    account.append(el('p', {}, `${data.scanned}. `, data.complete ? 'Complete: there is nothing that could not be scanned.' : 'Incomplete.'));
    if (data.verified) account.append(el('p', {}, `${data.verified}.`));
    if (gaps > 0) account.append(el('h3', {}, 'Could not be scanned'), entries(data.gaps, data.more_gaps));
    if (data.skipped.length > 0) {
      account.append(el('h3', {}, 'Left out'), el('p', {}, `${data.skipped.map(([count, words]) => `${number(count)} ${words}`).join(', ')}.`));
    }
    if (data.notable.length > 0) account.append(el('p', {}, 'Among them these, whose names say that a secret may be inside:'), entries(data.notable, data.more_notable));
    if (data.notes.length > 0) account.append(el('h3', {}, 'Not counted'), el('ul', { class: 'left' }, ...data.notes.map((note) => el('li', {}, `${note}.`))));
    $('made').textContent = `Written by keysweep ${data.version}. ${data.clear ? 'It holds secrets in clear: keep it as you would keep them.' : 'Secrets are shown by their first characters and length.'} The file holds all it needs and asks nobody.`;
    for (const id of ['severities', 'results', 'skip']) $(id).hidden = items.length === 0;
  };

  // ── paper: every matching finding, unfolded ──

  const onPaper = (item) => {
    const places = item.places.slice(1, 11);
    return el('article', { class: `sheet ${item.severity}` },
      el('h3', {}, `${item.kind.name} `, badge(item)),
      el('p', {}, secret(item), ' ', el('code', { class: 'path' }, item.places[0] ? item.places[0].at : '-')),
      item.places[0] && snippet(item.places[0]),
      places.length > 0 && el('p', { class: 'aside' }, `Also at ${places.map((place) => place.at).join(', ')}${placeCount(item) > 11 ? ` and ${counted(placeCount(item) - 11, 'more place', 'more places')}` : ''}.`),
      item.history && span(item) && el('p', {}, `Exposed ${span(item)}.`, item.first && [' Introduced by ', ...commitLine(item.first).flat(), '.']),
      item.told.length > 0 && el('p', {}, `Verified: ${item.told[0][1]}.`),
      item.suppressed ? el('p', {}, `Dropped: ${item.suppressed}`) : next(item),
      el('p', { class: 'aside' }, `Rule ${item.kind.rule}, confidence ${item.confidence}, fingerprint ${item.fingerprint}`));
  };

  const describe = () => {
    const named = { q: 'search', severity: 'severity', rule: 'rule', path: 'path', author: 'author', confidence: 'confidence', verified: 'verified', head: 'state' };
    const used = Object.entries(named).filter(([key]) => filters[key] !== '').map(([key, label]) => `${label} ${key === 'head' ? $('head').selectedOptions[0].textContent : filters[key].replaceAll(',', ' or ')}`);
    return used.length > 0 ? `${number(matching.length)} of ${counted(items.length, 'secret', 'secrets')}: ${used.join(', ')}` : counted(items.length, 'secret', 'secrets');
  };

  addEventListener('beforeprint', () => {
    for (const details of document.querySelectorAll('#finding details')) details.open = true;
    if ($('overview').hidden) return;
    const list = filters.group
      ? groups().flatMap((one) => [el('h2', {}, groupName(one)), ...one.list.map(onPaper)])
      : [el('h2', {}, describe()), ...matching.map(onPaper)];
    $('paper').replaceChildren(...list);
  });
  addEventListener('afterprint', () => $('paper').replaceChildren());

  // ── routes ──

  let current = null;
  let openedAt = 0;
  let openedItem = null;

  const read = () => {
    const [path, search] = location.hash.replace(/^#/, '').split(/\?(.*)/s);
    const found = new URLSearchParams(search || '');
    const state = { ...EMPTY };
    for (const name of Object.keys(EMPTY)) state[name] = found.get(name) || '';
    if (!['', 'rule', 'path', 'author'].includes(state.group)) state.group = '';
    const match = /^\/finding\/([0-9a-f]+)$/.exec(path);
    return { fingerprint: match ? match[1] : path.startsWith('/finding') ? '-' : null, state };
  };

  const route = () => {
    const hash = location.hash;
    if (hash === current) return;
    const isFirst = current === null;
    const { fingerprint, state } = read();
    const hasChanged = isFirst || Object.keys(EMPTY).some((name) => state[name] !== filters[name]) || query(state) !== shownQuery;
    current = hash;
    const wasFinding = $('overview').hidden;
    filters = state;
    if (hasChanged) matching = matches();
    if (fingerprint !== null) {
      if (!wasFinding) openedAt = scrollY;
      const item = byFingerprint.get(fingerprint);
      openedItem = fingerprint;
      showFinding(item);
      $('overview').hidden = true;
      $('finding').hidden = false;
      document.title = `${item ? item.kind.name : 'No such finding'} in ${data.root}`;
      scrollTo(0, 0);
      if (!isFirst) $('finding').querySelector('h1').focus({ preventScroll: true });
      return;
    }
    $('finding').hidden = true;
    $('finding').replaceChildren();
    $('overview').hidden = false;
    document.title = `${counted(counting.length, 'secret', 'secrets')} in ${data.root}`;
    if (query(filters) !== shownQuery) {
      shownQuery = query(filters);
      bars = BARS;
      showFilters();
      showList();
      showTimeline();
    }
    if (wasFinding) {
      const opened = [...document.querySelectorAll('#list details.row')].find((one) => one.dataset.fingerprint === openedItem);
      if (opened) opened.querySelector('summary').focus({ preventScroll: true });
      else $('title').focus({ preventScroll: true });
      scrollTo(0, openedAt);
    }
  };
  // The filters that the list was last built for.
  let shownQuery = null;

  history.scrollRestoration = 'manual';
  $('app').hidden = false;
  setUpFilters();
  showFrame();
  if (matchMedia('(max-width: 640px)').matches) $('exposure').open = false;
  $('exposure').addEventListener('toggle', () => { if ($('exposure').open) showTimeline(); });
  $('timeline').replaceChildren();
  route();
  // A link to a part of this page moves the focus and leaves the address, which holds the filters, as it is.
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-to]');
    if (!link) return;
    event.preventDefault();
    $(link.dataset.to).focus({ preventScroll: true });
    $(link.dataset.to).scrollIntoView();
  });
  addEventListener('hashchange', route);
  addEventListener('popstate', route);
  new ResizeObserver(() => {
    const width = Math.max(280, Math.round($('timeline').clientWidth));
    if ($('timeline').clientWidth > 0 && width !== drawnWidth && drawnWidth > 0) showTimeline();
  }).observe($('timeline'));
})();
