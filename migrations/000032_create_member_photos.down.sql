SET lock_timeout = '5s';

DROP TABLE member_photos;
UPDATE member_details SET value = NULL WHERE field = 'PHOTO';
