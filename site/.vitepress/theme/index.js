/** VitePress' own theme, with colours of enough contrast. */

import DefaultTheme from 'vitepress/theme';
import './theme.css';

export default DefaultTheme;
